//! `run exec`: runs a component of the project, or any other one.

use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use dev::{CodeError, Compiler, Offer, Seal, grant, grants};
use project::{Builder, Project};
use rules::manifest::{Capability, Invalid, Size, Time};
use runtime::{
    CallError, CommandInput, Exit, Failure, FailureKind, Grants, Invocation, Limits, Loaded,
    Runtime, Stdin,
};
use sandbox::Isolation;

use super::{built, given, prepare};
use crate::arguments::Exec as Arguments;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;
use crate::signals;
use crate::ui::{Printer, ProgramLog};

/// The exit code for a program that trapped: that of a process which a signal has aborted.
const TRAPPED: u8 = 134;

/// The exit code for a program that exceeded its memory: that of a process which the system has killed.
const OUT_OF_MEMORY: u8 = 137;

/// The exit code for a program that exceeded its time, as the command `timeout` has it.
const TIMED_OUT: u8 = 124;

/// The exit code for a program whose standard output nobody reads: that of a process which writes into a closed pipe.
const READER_LEFT: u8 = 141;

/// A component, and what it may do.
struct Program {
    loaded: Loaded,
    grants: Grants,
    /// The place of run.toml that grants more, or `None` for a file.
    place: Option<String>,
}

/// Runs `run exec`.
pub(crate) fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode, CommandError> {
    let limits = limits(arguments)?;
    let invocation = arguments.invoke.as_deref().map(str::parse::<Invocation>).transpose();
    let invocation = invocation.map_err(|error| CommandError::from_error(Kind::Usage, &error))?;
    let offer = given::offer(config, &arguments.env, &arguments.config)?;
    let mut program = match is_file(&arguments.program) {
        true => file(config, &arguments.program)?,
        false => component(config, arguments, &offer)?,
    };
    for word in &arguments.grant {
        let capability: Capability = word.parse().map_err(|error| invalid("--grant", &error))?;
        grant(&mut program.grants, &capability, &config.directory, &offer);
    }
    let log = Arc::new(ProgramLog::new(config.printer, program.place.clone()));
    let loaded = program.loaded.granting(program.grants).limited(limits).logging_to(log.clone());
    let loaded = loaded.through(given::network(config)?);
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let tokio = tokio.map_err(|source| CommandError::threads(&source))?;
    let ended = tokio.block_on(async {
        tokio::select! {
            ended = work(config, &loaded, arguments, invocation) => ended,
            () = log.reader_left() => Ok(ExitCode::from(READER_LEFT)),
        }
    });
    // A thread may wait for a standard input that never ends.
    tokio.shutdown_background();
    ended
}

async fn work(
    config: &Config,
    loaded: &Loaded,
    arguments: &Arguments,
    invocation: Option<Invocation>,
) -> Result<ExitCode, CommandError> {
    match invocation {
        Some(invocation) => call(config, loaded, &invocation).await,
        None => run_command(config, loaded, arguments).await,
    }
}

/// Tells if a program is given as a file: no component has a name like that.
fn is_file(program: &str) -> bool {
    program.contains(['/', '.', '\\'])
}

fn file(config: &Config, program: &str) -> Result<Program, CommandError> {
    let path = config.directory.join(program);
    let bytes = std::fs::read(&path).map_err(|source| {
        CommandError::usage(format!("cannot read {}", path.display())).caused_by(&source)
    })?;
    let runtime =
        Runtime::new().map_err(|error| CommandError::from_error(Kind::Environment, &error))?;
    let loaded = runtime.load(&bytes);
    let loaded = loaded.map_err(|error| CommandError::from_error(Kind::Usage, &error))?;
    Ok(Program { loaded, grants: Grants { stdio: true, ..Grants::default() }, place: None })
}

fn component(
    config: &Config,
    arguments: &Arguments,
    offer: &Offer,
) -> Result<Program, CommandError> {
    let what = arguments.how.with_name(&arguments.program);
    let folder = Project::find(&config.directory)?;
    let cancel = signals::cancel_on_signal()?;
    let builder = prepare::builder_in(config, &what, Isolation::default(), folder, cancel)?;
    let loaded = load(config, arguments, &builder)?;
    let Project { folder, manifest } = &builder.project;
    let component = manifest.component(&arguments.program).ok_or_else(|| {
        CommandError::usage(format!("there is no component `{}`", arguments.program))
    })?;
    let place = format!("run.toml:{}", manifest.line(component.span));
    Ok(Program { loaded, grants: grants(component, manifest, folder, offer), place: Some(place) })
}

/// Builds the component and its machine code, which is kept for the next time.
fn load(config: &Config, arguments: &Arguments, builder: &Builder) -> Result<Loaded, CommandError> {
    let seal = Seal::open(&given::seal(config)).map_err(cannot_load)?;
    let compiler = Compiler::for_calls(Arc::new(seal)).map_err(cannot_load)?;
    let mut code = None;
    let outcome = built::with(config, builder, |plan| {
        let mut planned = plan.components.iter();
        let component = planned.find(|planned| planned.name == arguments.program).cloned();
        // The label is this action's own, and its input an output of the plan.
        code = component.map(|it| compiler.add(plan, &it).expect("a component is compiled once"));
    })?;
    let code = code.ok_or_else(|| CommandError::usage("the component is not built"))?;
    let loaded = compiler.load(builder.store.content(), &outcome, code);
    loaded.map_err(cannot_load)?.ok_or_else(|| cannot_load(CodeError::NotCompiled))
}

fn cannot_load(error: impl std::error::Error + 'static) -> CommandError {
    CommandError::from_error(Kind::Environment, &error)
}

async fn run_command(
    config: &Config,
    loaded: &Loaded,
    arguments: &Arguments,
) -> Result<ExitCode, CommandError> {
    let name = Path::new(&arguments.program).file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let args = std::iter::once(name).chain(arguments.args.iter().cloned()).collect();
    let input = CommandInput { args, env: Vec::new(), stdin: Stdin::Inherited };
    match loaded.run_aloud(&input).await {
        Ok(Exit::Status(status)) => {
            Ok(ExitCode::from(u8::try_from(status & 0xff).unwrap_or(u8::MAX)))
        }
        Ok(Exit::Failed(failure)) => failed(config.printer, &failure),
        Err(error) => Err(CommandError::from_error(Kind::Usage, &error)
            .hint("call one of its functions with --invoke, or serve it with `run dev`")),
    }
}

async fn call(
    config: &Config,
    loaded: &Loaded,
    invocation: &Invocation,
) -> Result<ExitCode, CommandError> {
    let Invocation { interface, function, args } = invocation;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match loaded.call(interface.as_deref(), function, &args).await {
        Ok(Some(result)) => config.printer.result(&format!("{result}\n")),
        Ok(None) => {}
        Err(CallError::Failed(failure)) => return failed(config.printer, &failure),
        Err(error) => return Err(CommandError::from_error(Kind::Usage, &error)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints why a program failed.
fn failed(printer: Printer, failure: &Failure) -> Result<ExitCode, CommandError> {
    let code = match failure.kind {
        FailureKind::TimedOut => TIMED_OUT,
        FailureKind::OutOfMemory => OUT_OF_MEMORY,
        FailureKind::Host => {
            return Err(CommandError::new(Kind::Environment, failure.message.clone()));
        }
        _ => TRAPPED,
    };
    // Its standard error has been printed as it was written.
    let failure = Failure { stderr: String::new(), ..failure.clone() };
    printer.error(&CommandError::new(Kind::BuildFailed, failure.to_string()));
    Ok(ExitCode::from(code))
}

fn limits(arguments: &Arguments) -> Result<Limits, CommandError> {
    let mut limits = Limits::default();
    if let Some(text) = &arguments.timeout {
        let Time(time) = measure(text, "--timeout")?;
        limits.timeout = Some(time);
    }
    if let Some(text) = &arguments.memory {
        let Size(size) = measure(text, "--memory")?;
        limits.memory = size;
    }
    Ok(limits)
}

fn measure<T: FromStr<Err = Invalid>>(text: &str, flag: &str) -> Result<T, CommandError> {
    text.parse().map_err(|error| invalid(flag, &error))
}

fn invalid(flag: &str, error: &Invalid) -> CommandError {
    let this = CommandError::usage(format!("{flag}: {}: {}", error.message, error.expected));
    error.help.iter().fold(this, |this, help| this.hint(help.clone()))
}
