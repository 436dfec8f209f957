//! Entering a sandbox by hand: a specification as a shell line, and what that line starts.
//!
//! The line runs this binary again, with the specification in its arguments, so it is the same
//! sandbox, not one like it. Standard input, output and error are the terminal's, and there is no
//! timeout.

use std::collections::VecDeque;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::exit;

use super::cancel::Cancel;
use super::sandbox::Sandbox;
use super::session::Io;
use crate::{
    Determinism, Isolation, Limits, Listing, Mount, MountSource, Outcome, SandboxError, Spec,
    Status, View,
};

/// The first argument of the line.
const COMMAND: &str = "__sandbox";

impl Sandbox {
    /// A line for `sh` that runs the command of `spec` in such a sandbox, on the caller's terminal.
    ///
    /// It works for as long as the folders of the mounts exist, and keeps what was written to them
    /// before. Another command, such as a shell of the toolchain, can be put in the place of what
    /// follows `--`.
    pub fn shell_command(&self, spec: &Spec) -> String {
        let program = env::current_exe().unwrap_or_else(|_| "run".into());
        let words = [program.into_os_string(), COMMAND.into()].into_iter();
        let words = words.chain(arguments(spec, self.isolation()));
        words.map(|word| quote(&word)).collect::<Vec<_>>().join(" ")
    }
}

/// Runs the command if this process was started by a [`shell_command`], and never returns then.
pub(super) fn enter_if_asked() {
    let mut words = env::args_os().skip(1);
    if words.next().is_some_and(|word| word == COMMAND) {
        exit(enter(words.collect()));
    }
}

/// The exit code: that of the command, as a shell would say it, or that of `run` for such a
/// failure.
fn enter(words: VecDeque<OsString>) -> i32 {
    let Some((spec, isolation)) = parse(words) else {
        return say(2, "not a line made by --sandbox-debug");
    };
    let folder = env::temp_dir().join(format!("run-sandbox-{}", std::process::id()));
    if let Err(error) = fs::create_dir(&folder) {
        return say(37, &format!("can't make the folder `{}`: {error}", folder.display()));
    }
    let code = run_in(&folder, &spec, isolation);
    // What can't be removed is left to whoever tidies up that place.
    let _ = fs::remove_dir_all(folder);
    code
}

fn run_in(folder: &Path, spec: &Spec, isolation: Isolation) -> i32 {
    let sandbox = match Sandbox::start_with(isolation, folder) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            return say(36, &format!("{error}: {}\nhint: {}", error.cause, error.remedy()));
        }
    };
    match run(&sandbox, spec) {
        Ok(outcome) => match outcome.status {
            Status::Exited(code) => code,
            Status::Signalled(signal) => 128 + signal,
            Status::TimedOut | Status::Cancelled => say(124, "killed"),
            Status::OutOfMemory => say(137, "killed for using too much memory"),
        },
        Err(error) => say(37, &with_causes(&error)),
    }
}

fn run(sandbox: &Sandbox, spec: &Spec) -> Result<Outcome, SandboxError> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let io = Io::Inherit([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]);
    sandbox.run_with(spec, &Cancel::new(), &io)
}

fn say(code: i32, message: &str) -> i32 {
    // A closed terminal leaves nobody to tell.
    let _ = writeln!(io::stderr(), "error: {message}");
    code
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The specification as words, without the timeout and the size of the output.
fn arguments(spec: &Spec, isolation: Isolation) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut add = |option: &str, values: &[&OsStr]| {
        words.push(option.into());
        words.extend(values.iter().map(OsString::from));
    };
    let limits = &spec.limits;
    let optional = [
        ("--memory", limits.memory),
        ("--file-size", limits.file_size),
        ("--cpus", limits.cpus.map(u64::from)),
        ("--processes", Some(limits.processes.into())),
        ("--tmp-bytes", Some(limits.tmp_bytes)),
        ("--open-files", Some(limits.open_files.into())),
    ];
    for (option, limit) in optional {
        if let Some(limit) = limit {
            add(option, &[limit.to_string().as_ref()]);
        }
    }
    if isolation != Isolation::default() {
        add("--isolation", &[isolation.name().as_ref()]);
    }
    if spec.view != View::STANDARD {
        let View { user, host, umask, first_process } = &spec.view;
        let numbers = [user, umask, first_process].map(u32::to_string);
        let [user, umask, first_process] = numbers.each_ref().map(OsStr::new);
        add("--view", &[user, (**host).as_ref(), umask, first_process]);
    }
    if let Some(Determinism { epoch, seed, cpus, listing }) = spec.determinism {
        let is_reversed = u64::from(listing == Listing::Reversed);
        let numbers = [epoch, seed, cpus.into(), is_reversed].map(|number| number.to_string());
        add("--determinism", &numbers.each_ref().map(OsStr::new));
    }
    add("--cwd", &[spec.cwd.as_ref()]);
    for (name, value) in &spec.env {
        add("--env", &[name, value]);
    }
    for Mount { target, source } in &spec.mounts {
        let target = target.as_os_str();
        match source {
            MountSource::ReadOnly(host) => add("--read-only", &[host.as_ref(), target]),
            MountSource::Writable(host) => add("--writable", &[host.as_ref(), target]),
            MountSource::Scratch { lower, upper } => {
                add("--scratch", &[lower.as_ref(), upper.as_ref(), target]);
            }
            MountSource::Symlink(text) => add("--symlink", &[text, target]),
        }
    }
    add("--", &spec.argv.iter().map(OsString::as_os_str).collect::<Vec<_>>());
    words
}

/// The reverse of [`arguments`].
fn parse(mut words: VecDeque<OsString>) -> Option<(Spec, Isolation)> {
    let mut isolation = Isolation::default();
    let mut spec = Spec {
        argv: Vec::new(),
        env: Vec::new(),
        cwd: "/".into(),
        mounts: Vec::new(),
        limits: Limits::STANDARD,
        view: View::STANDARD,
        determinism: None,
        output_cap: 0,
    };
    while let Some(option) = words.pop_front() {
        let mut word = || words.pop_front();
        let limits = &mut spec.limits;
        match option.to_str()? {
            "--memory" => limits.memory = Some(number(word()?)?),
            "--file-size" => limits.file_size = Some(number(word()?)?),
            "--cpus" => limits.cpus = Some(number(word()?)?),
            "--processes" => limits.processes = number(word()?)?,
            "--tmp-bytes" => limits.tmp_bytes = number(word()?)?,
            "--open-files" => limits.open_files = number(word()?)?,
            "--isolation" => isolation = Isolation::named(word()?.to_str()?)?,
            "--view" => {
                let user = number(word()?)?;
                let host = word()?.into_string().ok()?.into();
                let (umask, first_process) = (number(word()?)?, number(word()?)?);
                spec.view = View { user, host, umask, first_process };
            }
            "--determinism" => {
                let (epoch, seed, cpus) = (number(word()?)?, number(word()?)?, number(word()?)?);
                let listing = match number(word()?)? {
                    0_u64 => Listing::Sorted,
                    _ => Listing::Reversed,
                };
                spec.determinism = Some(Determinism { epoch, seed, cpus, listing });
            }
            "--cwd" => spec.cwd = word()?.into(),
            "--env" => spec.env.push((word()?, word()?)),
            "--" => {
                spec.argv = words.into();
                return Some((spec, isolation));
            }
            mount => {
                let source = mount_source(mount, &mut word)?;
                spec.mounts.push(Mount { target: word()?.into(), source });
            }
        }
    }
    None
}

fn mount_source(option: &str, word: &mut dyn FnMut() -> Option<OsString>) -> Option<MountSource> {
    let mut path = || word().map(PathBuf::from);
    Some(match option {
        "--read-only" => MountSource::ReadOnly(path()?),
        "--writable" => MountSource::Writable(path()?),
        "--scratch" => MountSource::Scratch { lower: path()?, upper: path()? },
        "--symlink" => MountSource::Symlink(word()?),
        _ => return None,
    })
}

fn number<N: std::str::FromStr>(word: OsString) -> Option<N> {
    word.to_str()?.parse().ok()
}

/// The word as `sh` reads it back.
fn quote(word: &OsStr) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./:,@%+-".contains(byte);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.bytes().all(|byte| is_plain(&byte)) => text.into(),
        Some(text) => format!("'{}'", text.replace('\'', r"'\''")),
        None => format!("\"$(printf '{}')\"", octal(word.as_bytes())),
    }
}

fn octal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "\\{byte:03o}").expect("a string takes everything");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;
    use std::process::Command;

    use super::*;

    fn spec() -> Spec {
        let mount = |target: &str, source| Mount { target: target.into(), source };
        Spec {
            argv: vec!["sh".into(), "-c".into(), "echo \"$A\" 'x'; exit 3".into(), "".into()],
            env: vec![
                ("A".into(), "two words\n$HOME `id`".into()),
                ("B".into(), OsString::from_vec(vec![b'b', 0xff, b'\'', b' '])),
            ],
            cwd: "/src".into(),
            mounts: vec![
                mount("/usr", MountSource::ReadOnly("/host/us r".into())),
                mount("/out", MountSource::Writable("/host/out".into())),
                mount("/target", MountSource::Scratch { lower: "/l".into(), upper: "/u".into() }),
                mount("/lib64", MountSource::Symlink("usr/lib64".into())),
            ],
            limits: Limits { memory: Some(1 << 30), cpus: Some(2), ..Limits::STANDARD },
            view: View { user: 7, host: "a-b".into(), umask: 0o077, first_process: 300 },
            determinism: Some(Determinism {
                seed: 2,
                listing: Listing::Reversed,
                ..Determinism::at(1)
            }),
            output_cap: 0,
        }
    }

    #[test]
    fn arguments_survive_the_way() {
        for isolation in Isolation::ALL {
            let (parsed, by) = parse(arguments(&spec(), isolation).into()).unwrap();
            assert_eq!(format!("{parsed:?}"), format!("{:?}", spec()));
            assert_eq!(by, isolation);
        }
        for bad in [&["--cwd"][..], &["--nonsense", "a", "b"], &["--memory", "much", "--", "a"]] {
            assert!(parse(bad.iter().map(OsString::from).collect()).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_shell_reads_the_same_words() {
        let words = arguments(&spec(), Isolation::Weak);
        let line: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let script = format!("printf '%s\\0' {}", line.join(" "));
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        let words = output.stdout.strip_suffix(b"\0").unwrap().split(|byte| *byte == 0);
        let read: Vec<OsString> = words.map(|word| OsString::from_vec(word.to_vec())).collect();
        assert_eq!(read, arguments(&spec(), Isolation::Weak));
    }
}
