//! `run doctor`: checks if this machine has what builds need.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use cache::DiskStore;
use rules::manifest::find_project;
use rules::platform::host_platform;
use rules::toolchain::Presence;
use rustix::fs::{ioctl_ficlone, statvfs};
use sandbox::{
    Cancel, Determinism, Isolation, Limits, Mount, MountSource, Outcome, Sandbox, SandboxError,
    Spec, Status, View,
};
use serde_json::json;

use super::start;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;
use crate::shared_cache::{Trial, try_it};
use crate::ui;

/// The result of one check.
struct Check {
    name: &'static str,
    state: State,
    text: String,
}

/// The state that a check has found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The machine has it.
    Good,
    /// The machine lacks it, but that only makes something slower, or only some projects need it.
    Limited,
    /// The machine lacks it, and nothing can be built.
    Bad,
}

/// Runs `run doctor`.
pub(crate) fn run(config: &Config) -> Result<ExitCode, CommandError> {
    let store = start::store(config)?;
    let mut checks = sandbox_checks(&store);
    checks.push(kernel());
    checks.extend(store_checks(config, &store));
    checks.extend(shared_cache(config)?);
    checks.extend(toolchains(config, &store)?);
    checks.extend(CLIENTS.iter().map(Client::check));
    if config.printer.json {
        for Check { name, state, text } in &checks {
            let state = state.word();
            ui::emit(&json!({"event": "check", "name": name, "state": state, "text": text}));
        }
    } else {
        let heading = ["WHAT", "STATE", "FOUND"].map(str::to_owned).to_vec();
        let rows = checks.iter().map(|check| {
            vec![check.name.to_owned(), check.state.word().to_owned(), check.text.clone()]
        });
        let rows: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
        config.printer.result(&ui::table(&rows));
    }
    match checks.iter().any(|check| check.state == State::Bad) {
        true => Err(CommandError::silent(Kind::Environment)),
        false => Ok(ExitCode::SUCCESS),
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Limited => "limited",
            Self::Bad => "missing",
        }
    }
}

impl Check {
    fn new(name: &'static str, state: State, text: impl Into<String>) -> Self {
        Self { name, state, text: text.into() }
    }
}

/// Starts the sandbox, and a command in it with and without the determinism layer.
fn sandbox_checks(store: &DiskStore) -> Vec<Check> {
    let weaker = Check::new("weaker", State::Good, weaker(store));
    let sandbox = match Sandbox::start() {
        Ok(sandbox) => sandbox,
        Err(error) => {
            let text = format!("{}; {}", error.cause, error.remedy());
            return vec![Check::new("sandbox", State::Bad, text), weaker];
        }
    };
    let trial = |name, determinism, good: &str| match run_true(&sandbox, determinism) {
        None => Check::new(name, State::Good, "not tried: this machine has no `true`"),
        Some(Ok(Outcome { status: Status::Exited(0), .. })) => Check::new(name, State::Good, good),
        Some(Ok(outcome)) => {
            Check::new(name, State::Bad, format!("a command ended with {:?}", outcome.status))
        }
        Some(Err(error)) => Check::new(name, State::Bad, with_causes(&error)),
    };
    vec![
        trial("sandbox", None, "namespaces"),
        trial(
            "determinism",
            Some(Determinism::at(0)),
            "user notification and ptrace; for Python, JavaScript, TypeScript and `reproducible`",
        ),
        weaker,
        limits(&sandbox),
    ]
}

/// Describes for each weaker sandbox whether it works here, or why not.
fn weaker(store: &DiskStore) -> String {
    let offer = |isolation: Isolation| {
        let name = isolation.name();
        let folder = match store.scratch() {
            Ok(folder) => folder,
            Err(error) => return format!("`--sandbox {name}` can't be tried: {error}"),
        };
        let started = Sandbox::start_with(isolation, folder.path());
        let result = started.map(|sandbox| run_true(&sandbox, None));
        match result {
            Ok(None | Some(Ok(Outcome { status: Status::Exited(0), .. }))) => {
                format!("`--sandbox {name}` works")
            }
            Ok(Some(Ok(outcome))) => {
                format!(
                    "`--sandbox {name}` doesn't work: a command ended with {:?}",
                    outcome.status
                )
            }
            Ok(Some(Err(error))) => {
                format!("`--sandbox {name}` doesn't work: {}", with_causes(&error))
            }
            Err(error) => format!("`--sandbox {name}` doesn't work: {}", error.cause),
        }
    };
    [Isolation::Weak, Isolation::None].map(offer).join("; ")
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Runs this machine's own `true` in the sandbox. Returns `None` if the machine has no such program.
fn run_true(
    sandbox: &Sandbox,
    determinism: Option<Determinism>,
) -> Option<Result<Outcome, SandboxError>> {
    let program = Path::new("/usr/bin/true");
    if !program.exists() {
        return None;
    }
    let folder = |name: &str| {
        let path = Path::new("/").join(name);
        let target = fs::read_link(&path);
        let source = match target {
            Ok(target) => MountSource::Symlink(target.into_os_string()),
            Err(_) => MountSource::ReadOnly(path.clone()),
        };
        path.exists().then_some(Mount { target: path, source })
    };
    let spec = Spec {
        argv: vec![program.into()],
        env: Vec::new(),
        cwd: PathBuf::from("/"),
        mounts: ["usr", "bin", "lib", "lib64"].into_iter().filter_map(folder).collect(),
        limits: Limits::STANDARD,
        view: View::STANDARD,
        determinism,
        output_cap: 4096,
    };
    Some(sandbox.run(&spec, &Cancel::new()))
}

/// The first version of Linux with which the determinism layer stays on one processor.
const FAST_NOTIFICATION: (u32, u32) = (6, 6);

fn kernel() -> Check {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let version = numbers.next().zip(numbers.next());
    match version {
        Some((Ok(major), Ok(minor))) if (major, minor) < FAST_NOTIFICATION => {
            let text = format!("Linux {release}: the determinism layer is faster from 6.6 on");
            Check::new("kernel", State::Limited, text)
        }
        _ => Check::new("kernel", State::Good, format!("Linux {release}")),
    }
}

/// Says how the limits of components are enforced.
fn limits(sandbox: &Sandbox) -> Check {
    let text = match sandbox.has_groups() {
        true => "memory and processes by cgroups, timeout by signal, CPUs by affinity",
        false => {
            "memory by sampling 20 times a second (no cgroup v2 with memory and pids that this user may \
             divide), processes by rlimit, timeout by signal, CPUs by affinity"
        }
    };
    Check::new("limits", State::Good, text)
}

/// The free space in bytes below which installing a few toolchains may fail.
const ROOM: u64 = 4_000_000_000;

fn store_checks(config: &Config, store: &DiskStore) -> Vec<Check> {
    let root = store.root();
    let mut checks = vec![Check::new(
        "store",
        State::Good,
        format!("{} ({}){}", root.display(), store.function(), limit(config, store)),
    )];
    if let Ok(disk) = statvfs(root) {
        let free = disk.f_bavail * disk.f_frsize;
        let state = if free < ROOM { State::Limited } else { State::Good };
        checks.push(Check::new("room", state, format!("{} free", ui::size(free))));
    }
    checks.push(match can_share_blocks(root) {
        Ok(true) => Check::new("reflinks", State::Good, "exports share blocks with the store"),
        Ok(false) => Check::new("reflinks", State::Limited, "none: exports are copied"),
        Err(error) => Check::new("store", State::Bad, format!("cannot be written to: {error}")),
    });
    checks
}

fn can_share_blocks(folder: &Path) -> std::io::Result<bool> {
    let (mut one, other) = (tempfile::tempfile_in(folder)?, tempfile::tempfile_in(folder)?);
    std::io::Write::write_all(&mut one, &[1; 4096])?;
    Ok(ioctl_ficlone(&other, &one).is_ok())
}

/// Tries to reach the shared cache of the user's configuration, if there is one.
fn shared_cache(config: &Config) -> Result<Option<Check>, CommandError> {
    let tried = try_it(config)?;
    Ok(tried.map(|Trial { url, answer }| match answer {
        Ok(function) => Check::new("shared cache", State::Good, format!("{url} ({function})")),
        Err(trouble) => Check::new("shared cache", State::Limited, format!("{url}: {trouble}")),
    }))
}

/// Says to which size builds keep the store.
fn limit(config: &Config, store: &DiskStore) -> String {
    let limit = super::cache::limit(config, store);
    limit.map(|size| format!(", kept below {}", ui::size(size))).unwrap_or_default()
}

/// Checks the toolchains of the project, if there is one here.
fn toolchains(config: &Config, store: &DiskStore) -> Result<Option<Check>, CommandError> {
    if find_project(&config.directory).is_err() {
        return Ok(None);
    }
    let lock = start::project(config)?.lock()?.unwrap_or_default();
    let pinned = lock
        .inventory(store)
        .map_err(|error| CommandError::from_error(Kind::Environment, &error))?;
    let platform = host_platform().ok();
    let ours: Vec<_> = pinned.iter().filter(|one| Some(one.platform) == platform).collect();
    let absent: Vec<&str> = ours
        .iter()
        .filter(|one| one.presence != Presence::Whole)
        .map(|one| one.name.as_str())
        .collect();
    let rest = if absent.is_empty() {
        "all in the store".to_owned()
    } else {
        format!("to be fetched when they are needed: {}", absent.join(", "))
    };
    let text = format!("{} pinned for this machine, {rest}", ours.len());
    Ok(Some(Check::new("toolchains", State::Good, text)))
}

/// A program that fetches toolchains or packages.
struct Client {
    name: &'static str,
    command: &'static [&'static str],
    for_what: &'static str,
}

const CLIENTS: [Client; 5] = [
    Client { name: "rustup", command: &["rustup", "--version"], for_what: "Rust toolchains" },
    Client { name: "cargo", command: &["cargo", "--version"], for_what: "crates" },
    Client {
        name: "pip",
        command: &["python3", "-m", "pip", "--version"],
        for_what: "Go, Zig, componentize-py, node, wheels",
    },
    Client { name: "npm", command: &["npm", "--version"], for_what: "jco, esbuild, tsc, packages" },
    Client { name: "gpgv", command: &["gpgv", "--version"], for_what: "Debian's signatures" },
];

impl Client {
    fn check(&self) -> Check {
        let (program, arguments) = self.command.split_first().expect("a command has a program");
        let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
        let mut command = Command::new(program);
        // Clients, and wrappers in their place, look for configuration in the folder where they run.
        command.current_dir("/");
        let output = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output();
        let version = output.ok().filter(|output| output.status.success());
        let version = version.and_then(|output| String::from_utf8(output.stdout).ok());
        match version.as_deref().and_then(|text| text.lines().next()) {
            Some(line) => {
                let line = line.split(" from ").next().unwrap_or(line);
                Check::new(self.name, State::Good, format!("{line}, for {}", self.for_what))
            }
            None => {
                let text = format!("not found; it fetches: {}", self.for_what);
                Check::new(self.name, State::Limited, text)
            }
        }
    }
}
