//! Makes and parses the line `run enter-sandbox …`, which `run build --sandbox-debug` prints.
//!
//! The line holds the whole specification of the sandbox as plain options, so that a user can read and change
//! it. It is not JSON in one argument, for two reasons: an argument or a path may not be valid UTF-8; and
//! secrets are found in printed text in the form that they have as a word of a shell or in JSON, and such an
//! argument would combine both forms. The command is not part of [`Command`](super::Command): nobody types
//! it, so help, completions and manual pages don't offer it.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};
use sandbox::{Determinism, Isolation, Limits, Mount, MountSource, Spec, View};

use super::Sandbox;

/// The name of the command.
const NAME: &str = "enter-sandbox";

/// Run a command in a sandbox that `run build --sandbox-debug` has kept.
///
/// The files that the failed command wrote are still in its folders. You can replace the command behind `--`
/// by another one. There is no time limit.
#[derive(Debug, Parser)]
#[command(name = "run enter-sandbox", bin_name = "run enter-sandbox", no_binary_name = true)]
pub(crate) struct EnterSandbox {
    /// Says how the command is isolated from the machine.
    #[arg(long, value_enum, value_name = "MEANS", default_value_t = Sandbox::Namespaces)]
    sandbox: Sandbox,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    view: ViewArguments,
    #[command(flatten)]
    determinism: DeterminismArguments,
    /// The working directory in the sandbox.
    #[arg(long, value_name = "DIR")]
    cwd: PathBuf,
    /// A variable of the environment.
    #[arg(long, num_args = 2, allow_hyphen_values = true, value_names = ["NAME", "VALUE"])]
    env: Vec<OsString>,
    /// A file or folder of the host, and the path at which it can be read.
    #[arg(long, num_args = 2, allow_hyphen_values = true, value_names = ["HOST", "PATH"])]
    read_only: Vec<OsString>,
    /// A folder of the host, and the path at which it can be written to.
    #[arg(long, num_args = 2, allow_hyphen_values = true, value_names = ["HOST", "PATH"])]
    writable: Vec<OsString>,
    /// A folder of the host that does not change, a folder for the changes, and the path at which both
    /// appear.
    #[arg(long, num_args = 3, allow_hyphen_values = true, value_names = ["LOWER", "UPPER", "PATH"])]
    scratch: Vec<OsString>,
    /// The text of a symbolic link, and its path.
    #[arg(long, num_args = 2, allow_hyphen_values = true, value_names = ["TEXT", "PATH"])]
    symlink: Vec<OsString>,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    argv: Vec<OsString>,
}

#[derive(Debug, Args)]
struct LimitArguments {
    /// The number of bytes of memory that all processes together may use.
    #[arg(long, value_name = "BYTES")]
    memory: Option<u64>,
    /// The size in bytes of the largest file that may be written.
    #[arg(long, value_name = "BYTES")]
    file_size: Option<u64>,
    /// The number of processors that may be used.
    #[arg(long, value_name = "N")]
    cpus: Option<u32>,
    /// The number of processes that may run at one time.
    #[arg(long, value_name = "N", default_value_t = Limits::STANDARD.processes)]
    processes: u32,
    /// The number of bytes that files in /tmp may have.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::STANDARD.tmp_bytes)]
    tmp_bytes: u64,
    /// The number of files that a process may have open.
    #[arg(long, value_name = "N", default_value_t = Limits::STANDARD.open_files)]
    open_files: u32,
}

#[derive(Debug, Args)]
struct ViewArguments {
    /// The number of the user and of the group.
    #[arg(long, value_name = "N", default_value_t = View::STANDARD.user)]
    user: u32,
    /// The name of the host.
    #[arg(long, value_name = "NAME", default_value_t = View::STANDARD.host.into_owned())]
    host: String,
    /// The file mode creation mask.
    #[arg(long, value_name = "OCTAL", value_parser = octal, default_value = "022")]
    umask: u32,
    /// The number of the first process.
    #[arg(long, value_name = "N", default_value_t = View::STANDARD.first_process)]
    first_process: u32,
}

#[derive(Debug, Args)]
struct DeterminismArguments {
    /// Use the determinism layer; clocks begin at this time, in seconds since 1970.
    #[arg(long, value_name = "SECONDS")]
    epoch: Option<u64>,
    /// The seed of random numbers.
    #[arg(long, value_name = "N", default_value_t = Determinism::at(0).seed, requires = "epoch")]
    seed: u64,
    /// The number of processors that the command sees.
    #[arg(long, value_name = "N", default_value_t = Determinism::at(0).cpus, requires = "epoch")]
    shown_cpus: u32,
    /// The order in which folders are listed.
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = Listing::Sorted, requires = "epoch")]
    listing: Listing,
}

/// The order in which folders are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Listing {
    Sorted,
    Reversed,
}

impl EnterSandbox {
    /// Parses the words of a command line, which begin with the program's name. Returns `None` if they are
    /// not those of this command.
    pub(crate) fn parse_if_asked(
        words: impl IntoIterator<Item = OsString>,
    ) -> Option<Result<Self, clap::Error>> {
        let mut words = words.into_iter().skip(1).peekable();
        words.next_if(|verb| verb == NAME).map(|_| Self::try_parse_from(words))
    }

    /// Returns the kind of isolation and the specification that the arguments describe.
    pub(crate) fn into_spec(self) -> (Isolation, Spec) {
        let LimitArguments { memory, file_size, cpus, processes, tmp_bytes, open_files } =
            self.limits;
        let ViewArguments { user, host, umask, first_process } = self.view;
        let DeterminismArguments { epoch, seed, shown_cpus, listing } = self.determinism;
        let listing = match listing {
            Listing::Sorted => sandbox::Listing::Sorted,
            Listing::Reversed => sandbox::Listing::Reversed,
        };
        let mounts = [
            tuples(self.read_only, |[host, path]| mount(path, MountSource::ReadOnly(host.into()))),
            tuples(self.writable, |[host, path]| mount(path, MountSource::Writable(host.into()))),
            tuples(self.scratch, |[lower, upper, path]| {
                let (lower, upper) = (lower.into(), upper.into());
                mount(path, MountSource::Scratch { lower, upper })
            }),
            tuples(self.symlink, |[text, path]| mount(path, MountSource::Symlink(text))),
        ];
        let spec = Spec {
            argv: self.argv,
            env: tuples(self.env, |[name, value]| (name, value)),
            cwd: self.cwd,
            mounts: mounts.concat(),
            limits: Limits {
                timeout: None,
                memory,
                processes,
                tmp_bytes,
                file_size,
                open_files,
                cpus,
            },
            view: View { user, host: host.into(), umask, first_process },
            determinism: epoch.map(|epoch| Determinism { epoch, seed, cpus: shown_cpus, listing }),
            output_cap: 0,
        };
        (self.sandbox.into(), spec)
    }
}

fn octal(text: &str) -> Result<u32, std::num::ParseIntError> {
    u32::from_str_radix(text, 8)
}

/// Groups the values of an option that takes `N` of them each time. clap gives all of them in one list.
fn tuples<const N: usize, T>(values: Vec<OsString>, make: impl Fn([OsString; N]) -> T) -> Vec<T> {
    let mut values = values.into_iter();
    let tuples = std::iter::from_fn(|| {
        let tuple: Vec<OsString> = values.by_ref().take(N).collect();
        tuple.try_into().ok()
    });
    tuples.map(make).collect()
}

fn mount(path: OsString, source: MountSource) -> Mount {
    Mount { target: path.into(), source }
}

/// Returns a line for `sh` with which `program` (this program) runs the command of a specification on the
/// user's terminal, without its time limit.
pub(crate) fn line(program: &OsStr, isolation: Isolation, spec: &Spec) -> String {
    let words = [program.to_owned(), NAME.into()].into_iter().chain(words(isolation, spec));
    words.map(|word| quote(&word)).collect::<Vec<_>>().join(" ")
}

/// Returns the arguments from which [`EnterSandbox::into_spec`] makes this specification. Default values are
/// left out.
fn words(isolation: Isolation, spec: &Spec) -> Vec<OsString> {
    let Spec { argv, env, cwd, mounts, limits, view, determinism, output_cap: _ } = spec;
    let mut words: Vec<OsString> = Vec::new();
    let mut add = |option: &str, values: &[&OsStr]| {
        words.push(option.into());
        words.extend(values.iter().map(OsString::from));
    };
    if isolation != Isolation::default() {
        add("--sandbox", &[isolation.name().as_ref()]);
    }
    let number = |number: u64| Some(number.to_string());
    let unless = |given: u64, standard: u64| number(given).filter(|_| given != standard);
    let umask = Some(format!("{:03o}", view.umask)).filter(|_| view.umask != View::STANDARD.umask);
    let standard = (Limits::STANDARD, View::STANDARD);
    let host = view.host.clone().into_owned();
    let listing = determinism.map(|layer| match layer.listing {
        sandbox::Listing::Sorted => "sorted".to_owned(),
        sandbox::Listing::Reversed => "reversed".to_owned(),
    });
    let options = [
        ("--memory", limits.memory.and_then(number)),
        ("--file-size", limits.file_size.and_then(number)),
        ("--cpus", limits.cpus.map(u64::from).and_then(number)),
        ("--processes", unless(limits.processes.into(), standard.0.processes.into())),
        ("--tmp-bytes", unless(limits.tmp_bytes, standard.0.tmp_bytes)),
        ("--open-files", unless(limits.open_files.into(), standard.0.open_files.into())),
        ("--user", unless(view.user.into(), standard.1.user.into())),
        ("--host", Some(host).filter(|host| *host != standard.1.host)),
        ("--umask", umask),
        ("--first-process", unless(view.first_process.into(), standard.1.first_process.into())),
        ("--epoch", determinism.and_then(|layer| number(layer.epoch))),
        ("--seed", determinism.and_then(|layer| number(layer.seed))),
        ("--shown-cpus", determinism.and_then(|layer| number(layer.cpus.into()))),
        ("--listing", listing),
    ];
    for (option, value) in &options {
        if let Some(value) = value {
            add(option, &[value.as_ref()]);
        }
    }
    add("--cwd", &[cwd.as_ref()]);
    for (name, value) in env {
        add("--env", &[name, value]);
    }
    for Mount { target, source } in mounts {
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
    add("--", &argv.iter().map(OsString::as_os_str).collect::<Vec<_>>());
    words
}

/// Quotes a word for `sh`, even one that is not valid UTF-8.
fn quote(word: &OsStr) -> String {
    match word.to_str() {
        Some(text) => engine::quote(text),
        None => {
            let octal = |text: String, byte: &u8| {
                let mut text = text;
                write!(text, "\\{byte:03o}").expect("a string takes everything");
                text
            };
            let octal = word.as_encoded_bytes().iter().fold(String::new(), octal);
            format!("\"$(printf '{octal}')\"")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;
    use std::process::Command;

    use clap::CommandFactory as _;

    use super::*;

    fn spec() -> Spec {
        let mount = |target: &str, source| Mount { target: target.into(), source };
        Spec {
            argv: vec!["sh".into(), "-c".into(), "echo \"$A\" 'x'; exit 3".into(), "".into()],
            env: vec![
                ("A".into(), "two words\n$HOME `id`".into()),
                ("B".into(), OsString::from_vec(vec![b'b', 0xff, b'\'', b' '])),
                ("FLAGS".into(), "--release_mode".into()),
                ("DASHES".into(), "--".into()),
                ("EMPTY".into(), "".into()),
            ],
            cwd: "/src".into(),
            mounts: vec![
                mount("/usr", MountSource::ReadOnly("/host/us r".into())),
                mount("/etc", MountSource::ReadOnly("/host/etc".into())),
                mount("/out", MountSource::Writable("/host/out".into())),
                mount("/target", MountSource::Scratch { lower: "/l".into(), upper: "/u".into() }),
                mount("/lib64", MountSource::Symlink("usr/lib64".into())),
            ],
            limits: Limits { memory: Some(1 << 30), cpus: Some(2), ..Limits::STANDARD },
            view: View { user: 7, host: "a-b".into(), umask: 0o077, first_process: 300 },
            determinism: Some(Determinism {
                seed: 2,
                listing: sandbox::Listing::Reversed,
                ..Determinism::at(1)
            }),
            output_cap: 0,
        }
    }

    fn parse(words: &[OsString]) -> Option<Result<EnterSandbox, clap::Error>> {
        EnterSandbox::parse_if_asked([OsString::from("run")].iter().chain(words).cloned())
    }

    #[test]
    fn the_definition_is_sound() {
        EnterSandbox::command().debug_assert();
    }

    #[test]
    fn a_specification_survives_the_way() {
        let plain = Spec {
            env: Vec::new(),
            mounts: Vec::new(),
            limits: Limits::STANDARD,
            view: View::STANDARD,
            determinism: None,
            ..spec()
        };
        for (isolation, spec) in
            Isolation::ALL.into_iter().flat_map(|it| [(it, spec()), (it, plain.clone())])
        {
            let words = [vec![NAME.into()], words(isolation, &spec)].concat();
            let parsed = parse(&words).unwrap().unwrap();
            assert_eq!(parsed.into_spec(), (isolation, spec));
        }
    }

    #[test]
    fn what_is_no_such_line_is_told() {
        let parse = |line: &str| parse(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(parse("build enter-sandbox").is_none());
        for wrong in
            ["", "--cwd /", "--cwd / --", "--cwd / --env A -- a", "--cwd / --memory x -- a"]
        {
            assert!(parse(&format!("{NAME} {wrong}")).unwrap().is_err(), "{wrong}");
        }
        assert!(parse(&format!("{NAME} --cwd / -- a")).unwrap().is_ok());
    }

    #[test]
    fn a_shell_reads_the_same_words() {
        let line = line("/a program".as_ref(), Isolation::Weak, &spec());
        let script = format!("printf '%s\\0' {line}");
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        let read = output.stdout.strip_suffix(b"\0").unwrap().split(|byte| *byte == 0);
        let read: Vec<OsString> = read.map(|word| OsString::from_vec(word.to_vec())).collect();
        let expect = [vec!["/a program".into(), NAME.into()], words(Isolation::Weak, &spec())];
        assert_eq!(read, expect.concat());
    }
}
