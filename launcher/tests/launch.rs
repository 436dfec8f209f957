//! Starts the launcher as a worker does: in a root of its own, with an environment that the command must not see.

#![expect(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use launcher::{ENV, NO_PROGRAM, ORDERS, Orders, PATH, PROGRAM, UNPREPARED, complaint};

/// An input root with a shell and a few programs.
struct Root(tempfile::TempDir);

/// The way in which a worker starts the launcher.
const DIRECTLY: &[&str] = &[".run/launch"];

impl Root {
    fn new() -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        for program in ["/bin/sh", "/usr/bin/printenv", "/usr/bin/stat"] {
            root.copy(Path::new(program));
        }
        root.write(PATH, PROGRAM, 0o555);
        root.write(ENV, PROGRAM, 0o555);
        root
    }

    /// Copies a program of this machine, with the libraries that it needs.
    fn copy(&self, program: &Path) {
        let listed = Command::new("ldd").arg(program).output().unwrap().stdout;
        let listed = String::from_utf8(listed).unwrap();
        let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
        for path in libraries.map(Path::new).chain([program]) {
            let name = path.strip_prefix("/").unwrap().to_str().unwrap();
            self.write(name, &fs::read(path).unwrap(), 0o555);
        }
    }

    fn write(&self, path: &str, content: &[u8], mode: u32) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if !path.exists() {
            fs::write(&path, content).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    fn orders(&self, argv: &[&str], env: &[(&str, &str)], cwd: &str, outputs: &[&str]) {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let env: BTreeMap<String, String> = env.iter().map(pair).collect();
        let (argv, outputs) = (own(argv), own(outputs));
        let orders = Orders { argv: &argv, env: &env, cwd, outputs: &outputs }.encode().unwrap();
        _ = fs::remove_file(self.0.path().join(ORDERS));
        self.write(ORDERS, &orders, 0o444);
    }

    /// Starts what a worker starts, with this root as `/`.
    fn start(&self, argv: &[&str]) -> Output {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--", "chroot"]).arg(self.0.path()).args(argv);
        command.env("WORKER", "7").output().unwrap()
    }

    /// Runs a script by the launcher, and returns what it prints.
    #[track_caller]
    fn prints(&self, script: &str, env: &[(&str, &str)], cwd: &str, outputs: &[&str]) -> String {
        self.orders(&["sh", "-c", script], env, cwd, outputs);
        let output = self.start(DIRECTLY);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The place of the shell, which is a link on some machines.
const BIN: (&str, &str) = ("PATH", "/nowhere:/bin:/usr/bin");

#[test]
fn the_command_sees_what_is_declared_and_nothing_else() {
    let root = Root::new();
    root.write("src/deep/file", b"", 0o444);
    let env = [BIN, ("A", "1 2\n3"), ("EMPTY", "")];
    let printed = root.prints("printenv", &env, "", &[]);
    let mut lines: Vec<&str> = printed.lines().filter(|line| !line.starts_with("PWD=")).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["3", "A=1 2", "EMPTY=", "PATH=/nowhere:/bin:/usr/bin"]);
    assert_eq!(root.prints("pwd; umask", &[BIN], "src/deep", &[]), "/src/deep\n0022\n");
    let made = "stat -c %F /tmp /out /out/a /out/a/b; stat /out/a/b/c 2>/dev/null || echo none";
    let folders = "directory\ndirectory\ndirectory\ndirectory\nnone\n";
    assert_eq!(root.prints(made, &[BIN], "", &["a/b/c", "x"]), folders);
}

#[test]
fn arguments_may_be_long_and_empty() {
    let root = Root::new();
    let long = "x".repeat(100_000);
    let mut argv = vec!["sh", "-c", "echo $# ${#1} ${#16}", "name"];
    argv.extend(std::iter::repeat_n(long.as_str(), 15));
    argv.push("");
    root.orders(&argv, &[BIN], "", &[]);
    let output = root.start(DIRECTLY);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "16 100000 0\n", "{:?}", output.status);
}

#[test]
fn a_worker_may_start_it_by_env() {
    let root = Root::new();
    root.orders(&["sh", "-c", "echo started"], &[BIN], "", &[]);
    let output = root.start(&["/usr/bin/env", "--", ".run/launch"]);
    assert_eq!(output.stdout, b"started\n");
    let output = root.start(&["/usr/bin/env", "python3"]);
    assert_eq!(output.status.code(), Some(NO_PROGRAM));
    let said = complaint(NO_PROGRAM, &output.stderr);
    assert_eq!(said.as_deref(), Some("there is no program /usr/bin/env"));
}

#[test]
fn what_it_cannot_do_it_says_in_one_line() {
    let root = Root::new();
    root.write("file", b"no program", 0o444);
    let check = |argv: &[&str], cwd: &str, code, expect: &str| {
        root.orders(argv, &[BIN], cwd, &[]);
        let output = root.start(DIRECTLY);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert_eq!(complaint(code, &output.stderr).as_deref(), Some(expect));
    };
    check(&["nothing"], "", NO_PROGRAM, "there is no program nothing");
    check(&["/bin/nothing"], "", NO_PROGRAM, "there is no program /bin/nothing");
    check(&["/file"], "", UNPREPARED, "the worker may not execute /file");
    check(&["sh"], "none", UNPREPARED, "there is no folder /none");
    fs::remove_file(root.0.path().join(ORDERS)).unwrap();
    let output = root.start(DIRECTLY);
    assert!(complaint(UNPREPARED, &output.stderr).unwrap().starts_with("there are no orders"));
}

#[test]
fn the_exit_code_is_the_commands() {
    let root = Root::new();
    root.orders(&["sh", "-c", "echo 'run launcher: no' >&2; exit 3"], &[BIN], "", &[]);
    let output = root.start(DIRECTLY);
    assert_eq!((output.status.code(), complaint(3, &output.stderr)), (Some(3), None));
}

#[test]
fn it_is_small_and_needs_no_loader() {
    assert!(PROGRAM.len() < 16 << 10, "{} bytes", PROGRAM.len());
    // The loader's path would be in a program that needs one.
    assert!(!PROGRAM.windows(4).any(|bytes| bytes == b"/lib"));
}
