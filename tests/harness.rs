//! Makes a project in a folder of its own, and starts `run` in it as a user would.
//!
//! The environment is cleared, except variables that registries' clients need. HOME is the workspace's own.
//! Toolchains are large, so workspaces share one store unless a test asks for a private one. `KEEP_TEMP=1`
//! keeps the folder and prints where it is.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;
use wasmparser::{Parser, Payload};

/// A project with a home folder and a store.
pub(crate) struct Workspace {
    root: TempDir,
    project: PathBuf,
    run_home: PathBuf,
    /// The program under test.
    program: PathBuf,
    variables: Vec<(OsString, OsString)>,
    user: Option<u32>,
}

/// The output and the exit code of a finished `run`.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The variables that configure registries' clients.
const CLIENT_VARIABLES: [&str; 6] =
    ["PIP_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

impl Workspace {
    /// Makes an empty project.
    pub(crate) fn new() -> Self {
        let mut root = tempfile::Builder::new().prefix("run-test-").tempdir().unwrap();
        if variable("KEEP_TEMP").is_some() {
            root.disable_cleanup(true);
            eprintln!("the workspace is kept in {}", root.path().display());
        }
        let project = root.path().join("project");
        std::fs::create_dir_all(&project).unwrap();
        std::fs::create_dir_all(root.path().join("home")).unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_run"));
        let (run_home, variables) = (shared_run_home(), Vec::new());
        Self { root, project, run_home, program, variables, user: None }
    }

    /// Copies one of the examples of this repository, without the files of earlier builds.
    pub(crate) fn example(name: &str) -> Self {
        let this = Self::new();
        copy(&repository().join("examples").join(name), &this.project);
        this
    }

    /// Copies a folder of `tests/fixtures`, and adds the lock of the examples.
    pub(crate) fn fixture(path: &str) -> Self {
        let this = Self::new();
        copy(&repository().join("tests/fixtures").join(path), &this.project);
        let lock = repository().join("examples/polyglot/run.lock.toml");
        std::fs::copy(lock, this.project.join("run.lock.toml")).unwrap();
        this
    }

    /// Copies an example and builds it with the shared store. One test at a time builds, so everything that
    /// the store lacks is made once, and the other tests find it.
    pub(crate) fn built(name: &str) -> Self {
        static ONE: Mutex<()> = Mutex::new(());
        let workspace = Self::example(name);
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        workspace.run(["build"]).ok();
        workspace
    }

    /// Writes a file of the project.
    pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.write(path, text);
        self
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.project.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Replaces a text in a file of the project. The file must contain it.
    pub(crate) fn replace(&self, path: &str, from: &str, to: &str) {
        let text = self.read_text(path);
        assert!(text.contains(from), "{path} has no {from:?}");
        self.write(path, text.replace(from, to));
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn read_text(&self, path: &str) -> String {
        String::from_utf8(self.read(path)).unwrap()
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Returns a path in the project.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.project.join(path)
    }

    /// Returns the folder that contains project and home.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Returns the folder of this workspace's store.
    pub(crate) fn store(&self) -> PathBuf {
        self.run_home.join("store")
    }

    /// Uses a store that starts empty.
    pub(crate) fn private_store(mut self) -> Self {
        self.run_home = self.root.path().join("run-home");
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Removes a variable that [`env`](Self::env) has set.
    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.variables.retain(|(set, _)| set != name);
        self
    }

    /// Runs as another user, who owns the workspace. They get copies of the program and the clients, because
    /// they can't read this user's home.
    pub(crate) fn user(mut self, uid: u32) -> Self {
        let bin = self.root.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::fs::copy(&self.program, bin.join("run")).unwrap();
        std::fs::copy(find("rustup"), bin.join("rustup")).unwrap();
        // rustup under the name of a tool starts that tool of the chosen toolchain.
        for tool in ["cargo", "rustc"] {
            std::os::unix::fs::symlink("rustup", bin.join(tool)).unwrap();
        }
        self = self.env("RUSTUP_TOOLCHAIN", "1.95.0");
        self.program = bin.join("run");
        let mut path = bin.into_os_string();
        path.push(":/usr/local/bin:/usr/bin:/bin");
        let home = self.root.path().join("home");
        self = self.env("PATH", path).env("CARGO_HOME", home.join(".cargo"));
        self = self.env("RUSTUP_HOME", home.join(".rustup"));
        chown(self.root.path(), uid);
        self.user = Some(uid);
        self
    }

    /// Gives all files of the workspace to the user as whom it runs, if that is another user.
    pub(crate) fn give_away(&self) {
        if let Some(uid) = self.user {
            chown(self.root.path(), uid);
        }
    }

    /// Starts `run` and waits for it.
    pub(crate) fn run<const N: usize>(&self, arguments: [&str; N]) -> Run {
        self.run_all(&arguments)
    }

    /// Starts `run` with any number of arguments and waits for it.
    pub(crate) fn run_all(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(&self.program, arguments).output().unwrap())
    }

    /// Starts `run` through another program, such as `faketime`.
    pub(crate) fn run_through(&self, wrapper: &[&str], arguments: &[&str]) -> Run {
        let mut all = wrapper[1..].to_vec();
        all.push(self.program.to_str().unwrap());
        all.extend(arguments);
        let output = self.command(Path::new(wrapper[0]), &all).output();
        Run::of(output.unwrap_or_else(|error| panic!("install `{}`: {error}", wrapper[0])))
    }

    /// Runs a line that a user types into a shell in the project's folder, where `run` is the program under test.
    pub(crate) fn types(&self, line: &str) -> Run {
        let folder = self.program.parent().unwrap().display();
        let line = format!("PATH={folder}:$PATH; {line}");
        Run::of(self.command(Path::new("/bin/sh"), &["-c", &line]).output().unwrap())
    }

    /// Starts `run` in a process group of its own and does not wait.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(&self.program, arguments).process_group(0).spawn().unwrap()
    }

    /// Starts `run` with a pipe as its standard input and does not wait.
    pub(crate) fn spawn_with_input(&self, arguments: &[&str]) -> Child {
        self.command(&self.program, arguments).stdin(Stdio::piped()).spawn().unwrap()
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.project)
            .env_clear()
            .envs(client_environment())
            .env("HOME", self.root.path().join("home"))
            .env("RUN_HOME", &self.run_home)
            .env("TERM", "dumb")
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(uid) = self.user {
            command.uid(uid).gid(uid);
        }
        command
    }
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Checks that it succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    /// Checks that it ended with this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Checks that it printed this text on standard error.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in stderr:\n{}", self.stderr);
        self
    }

    /// Returns the actions that ran, as `owner:step`, in the order in which they started.
    pub(crate) fn ran(&self) -> Vec<&str> {
        self.stderr.lines().filter_map(|line| line.trim_start().strip_prefix("Running ")).collect()
    }
}

/// Compiles a component, which may do everything, with little optimisation, because one in JavaScript would take half a minute
/// otherwise.
pub(crate) fn load(component: &[u8]) -> runtime::Loaded {
    let loaded = runtime::Runtime::baseline().unwrap().load(component).unwrap();
    loaded.granting(runtime::Grants::everything())
}

/// Calls a function of a component and returns its answer. Arguments and answer are texts in WAVE.
pub(crate) fn call(
    component: &[u8],
    interface: Option<&str>,
    function: &str,
    arguments: &[&str],
) -> Option<String> {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let loaded = load(component);
        loaded.call(interface, function, arguments).await.unwrap()
    })
}

/// Runs a command without arguments and environment, and returns its output.
pub(crate) fn prints(component: &[u8]) -> String {
    let output = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let loaded = load(component);
        loaded.run(&runtime::CommandInput::default()).await.unwrap()
    });
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the names that a component imports, in its order.
pub(crate) fn imports(component: &[u8]) -> Vec<String> {
    outermost(component, |payload| match payload {
        Payload::ComponentImportSection(section) => {
            section.into_iter().map(|import| import.unwrap().name.name.to_owned()).collect()
        }
        _ => Vec::new(),
    })
}

/// Returns the names that a component exports, in its order.
pub(crate) fn exports(component: &[u8]) -> Vec<String> {
    outermost(component, |payload| match payload {
        Payload::ComponentExportSection(section) => {
            section.into_iter().map(|export| export.unwrap().name.name.to_owned()).collect()
        }
        _ => Vec::new(),
    })
}

/// Returns what `names` finds in the sections of a component, but not in those of nested components.
fn outermost(component: &[u8], names: impl Fn(Payload<'_>) -> Vec<String>) -> Vec<String> {
    let mut depth = 0;
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(component).map(Result::unwrap) {
        match payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            payload if depth == 1 => found.extend(names(payload)),
            _ => {}
        }
    }
    found
}

/// Returns the folder of this repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the folder of the shared store. It is kept between test runs, because its content is verified
/// whenever it is used.
fn shared_run_home() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("run-home")
}

#[expect(clippy::disallowed_methods, reason = "tests hand the machine's own configuration on")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

#[expect(clippy::disallowed_methods, reason = "tests hand the machine's own configuration on")]
fn client_environment() -> Vec<(OsString, OsString)> {
    let wanted = |name: &OsString| {
        let name = name.to_string_lossy();
        CLIENT_VARIABLES.iter().any(|prefix| name.starts_with(prefix))
    };
    let mut found: Vec<_> = std::env::vars_os().filter(|(name, _)| wanted(name)).collect();
    found.push(("PATH".into(), variable("PATH").unwrap_or_default()));
    if let Some(home) = variable("HOME").map(PathBuf::from) {
        let or_home = |name: &str, folder: &str| {
            variable(name).unwrap_or_else(|| home.join(folder).into_os_string())
        };
        found.push(("CARGO_HOME".into(), or_home("CARGO_HOME", ".cargo")));
        found.push(("RUSTUP_HOME".into(), or_home("RUSTUP_HOME", ".rustup")));
    }
    found
}

/// Returns the path of a program in `PATH`.
fn find(name: &str) -> PathBuf {
    let path = variable("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|p| p.is_file());
    found.unwrap_or_else(|| panic!("install `{name}`: the tests build with it"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if entry.file_type().unwrap().is_dir() {
            if name != "target" && name != ".run" && name != "dist" {
                copy(&entry.path(), &to.join(name));
            }
        } else {
            std::fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

fn chown(path: &Path, uid: u32) {
    std::os::unix::fs::lchown(path, Some(uid), Some(uid))
        .unwrap_or_else(|error| panic!("run these tests as root: {error}"));
    if path.is_dir() && !path.is_symlink() {
        for entry in std::fs::read_dir(path).unwrap() {
            chown(&entry.unwrap().path(), uid);
        }
    }
}
