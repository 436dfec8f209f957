//! Runs the tests, and gives each of them a folder and specifications with the host's tools.
#![expect(clippy::print_stdout, reason = "a test run reports to standard output")]
#![expect(clippy::disallowed_methods, reason = "KEEP_TEMP is for the person at the terminal")]

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Instant;

use rustix::fs::{Gid, Uid};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{
    CapabilitySet, UnshareFlags, remove_capability_from_bounding_set, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid, unshare_unsafe,
};
use sandbox::{
    Cancel, Isolation, Limits, Mount, MountSource, Outcome, Sandbox, SandboxError, Spec, Status,
    View,
};

use crate::stories;

/// The number of an ordinary user that has no files, processes or groups anywhere.
const USER: u32 = 12345;

/// Holds what a test works with.
pub(crate) struct Lab {
    pub sandbox: Sandbox,
    /// A folder that is empty at first.
    pub root: PathBuf,
    /// The path of this binary, which is also the probe.
    pub probe: PathBuf,
}

/// The function of a test.
type TestFunction = fn(&Lab);

/// A test with its name.
pub(crate) type Test = (&'static str, TestFunction);

/// Lists the tests of a story, named after their functions.
#[macro_export]
macro_rules! tests {
    ($($test:ident),* $(,)?) => {
        pub(crate) const TESTS: &[$crate::harness::Test] = &[$((stringify!($test), $test)),*];
    };
}

const STORIES: &[(&str, &[Test])] = &[
    ("view", stories::view::TESTS),
    ("escape", stories::escape::TESTS),
    ("refused", stories::refused::TESTS),
    ("ways", stories::ways::TESTS),
    ("network", stories::network::TESTS),
    ("mounts", stories::mounts::TESTS),
    ("limits", stories::limits::TESTS),
    ("lifetime", stories::lifetime::TESTS),
    ("errors", stories::errors::TESTS),
    ("inherited", stories::inherited::TESTS),
    ("determinism", stories::determinism::TESTS),
    ("without_namespaces", stories::without_namespaces::TESTS),
];

/// Returns whether a test expects what only namespaces give, or what only namespaces and a guard
/// give.
fn is_about_namespaces(test: &str, isolation: Isolation) -> bool {
    let namespaces = [
        "view::who_and_where",
        "view::somebody_else_somewhere_else",
        "view::only_own_processes",
        "view::process_one_is_closed",
        "view::privileges_and_signals",
        "view::names_resolve",
        "escape::kernel_settings_are_read_only",
        "network::",
        "mounts::read_only_is_recursive",
        "limits::processes_are_limited",
        "limits::stubborn_commands_are_killed_too",
        "limits::tmp_is_limited",
        "errors::a_sandbox_in_a_sandbox",
    ];
    let is_about = |prefix: &&str| test.starts_with(*prefix);
    namespaces.iter().any(is_about)
        || isolation == Isolation::None && ["escape::"].iter().any(is_about)
}

/// A user that the tests are run as, and the name for that.
struct TestUser {
    name: &'static str,
    /// The function that first changes the rights of the process. `None` if they are right already.
    change: Option<fn()>,
}

/// Root runs the tests under all of these names. The lists run at the same time. The tests of one
/// list run one after the other, because the kernel counts processes and memory by user.
const BY_ROOT: &[&[TestUser]] = &[
    &[
        TestUser { name: "root", change: None },
        TestUser { name: "container", change: Some(limit_capabilities) },
    ],
    &[
        TestUser { name: "user", change: Some(become_user) },
        TestUser { name: "weak", change: Some(become_user) },
        TestUser { name: "none", change: Some(become_user) },
    ],
];

/// An ordinary user runs the tests only as itself.
const BY_USER: &[&[TestUser]] = &[&[TestUser { name: "user", change: None }]];

/// Holds the tests that a command line asks for, in the words of `cargo test` and `cargo nextest`.
struct TestFilter<'a> {
    /// Parts of names, or whole names with `--exact`. If it is empty, all tests are meant.
    names: Vec<&'a str>,
    exact: bool,
    list: bool,
    /// True if only ignored tests are meant, of which there are none.
    ignored: bool,
}

impl<'a> TestFilter<'a> {
    fn by(words: &[&'a str]) -> Self {
        let has = |flag: &str| words.contains(&flag);
        let names = words.iter().copied().filter(|word| !word.starts_with('-'));
        // This word is the value of `--format`.
        let names = names.filter(|word| *word != "terse").collect();
        Self { names, exact: has("--exact"), list: has("--list"), ignored: has("--ignored") }
    }

    fn wants(&self, test: &str) -> bool {
        let is_it = |name: &&str| if self.exact { *name == test } else { test.contains(*name) };
        !self.ignored && (self.names.is_empty() || self.names.iter().any(is_it))
    }
}

/// Returns the tests that run under this name and were asked for.
fn tests_of(who: &str, filter: &TestFilter<'_>) -> Vec<(String, TestFunction)> {
    let isolation = Isolation::named(who).unwrap_or_default();
    let mut found = Vec::new();
    for (story, tests) in STORIES {
        for (name, test) in *tests {
            let story = format!("{story}::{name}");
            if isolation != Isolation::Namespaces && is_about_namespaces(&story, isolation)
                || isolation == Isolation::Namespaces && story.starts_with("without_namespaces::")
            {
                continue;
            }
            let name = format!("{who}::{story}");
            found.extend(filter.wants(&name).then_some((name, *test)));
        }
    }
    found
}

/// Runs or lists the tests that were asked for, as this user and, if that is root, as others too.
pub(crate) fn run_all(words: &[&str]) -> ExitCode {
    let filter = TestFilter::by(words);
    let lists = if is_root() { BY_ROOT } else { BY_USER };
    if filter.list {
        let users = lists.iter().copied().flatten();
        for (name, _) in users.flat_map(|user| tests_of(user.name, &filter)) {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    if is_root() && has_right_to_mount() {
        leave_mounts_of_others();
    }
    let run = |user: &TestUser| match user.change {
        _ if tests_of(user.name, &filter).is_empty() => true,
        None => run_as(user.name, words),
        Some(change) => run_again(user.name, words, change),
    };
    let run_list = |list: &[TestUser]| list.iter().map(run).fold(true, |all, passed| all & passed);
    let passed = thread::scope(|scope| {
        let started: Vec<_> = lists.iter().map(|list| scope.spawn(|| run_list(list))).collect();
        started.into_iter().map(|list| list.join().unwrap()).fold(true, |all, passed| all & passed)
    });
    exit_code(passed)
}

pub(crate) fn exit_code(passed: bool) -> ExitCode {
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the tests in this process, under this name.
pub(crate) fn run_as(who: &str, words: &[&str]) -> bool {
    let tests = tests_of(who, &TestFilter::by(words));
    let folder = std::env::temp_dir().join(format!("sandbox-test-{who}-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let isolation = Isolation::named(who).unwrap_or_default();
    let (count, mut failed) = (tests.len(), Vec::new());
    for (name, test) in tests {
        let begin = Instant::now();
        let passed = run_one(test, isolation, folder.join(name.replace("::", "-")));
        let verdict = if passed { "ok" } else { "FAILED" };
        println!("test {name} ... {verdict} <{:.3}s>", begin.elapsed().as_secs_f64());
        failed.extend((!passed).then_some(name));
    }
    if std::env::var_os("KEEP_TEMP").is_none() {
        fs::remove_dir_all(&folder).unwrap();
    }
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    let passed = count - failed.len();
    println!(
        "\ntest result: {verdict}. {passed} passed; {} failed; as {who} {failed:?}\n",
        failed.len()
    );
    failed.is_empty()
}

fn run_one(test: TestFunction, isolation: Isolation, root: PathBuf) -> bool {
    let probe = std::env::current_exe().unwrap();
    fs::create_dir(&root).unwrap();
    let test = || test(&Lab { sandbox: start(isolation, &root), root, probe });
    catch_unwind(AssertUnwindSafe(test)).is_ok()
}

/// Runs the tests in a copy of this binary that everybody may read, after `change` has changed the
/// rights of this process.
fn run_again(who: &str, filters: &[&str], change: fn()) -> bool {
    let folder =
        std::env::temp_dir().join(format!("sandbox-test-{who}-binary-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let copy = folder.join("probes");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    for path in [&folder, &copy] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    // This needs a thread of its own: rights belong to a thread, and other threads keep what this
    // one gives up.
    let run = || {
        change();
        Command::new(&copy).args(["as", who]).args(filters).current_dir("/").status().unwrap()
    };
    let status = thread::scope(|scope| scope.spawn(run).join().unwrap());
    fs::remove_dir_all(&folder).unwrap();
    status.success()
}

/// Gives this process, and every process that it starts, a mount namespace. There are tests that no
/// mount is left behind, and tests of other programs mount file systems at the same time.
#[expect(unsafe_code, reason = "no other thread runs yet, and no file descriptors are unshared")]
fn leave_mounts_of_others() {
    // SAFETY: a new mount namespace changes nothing about file descriptors.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.unwrap();
    // Mounts of the sandboxes would still show here, as they would on a machine that shares mounts.
    for propagation in [MountPropagationFlags::PRIVATE, MountPropagationFlags::SHARED] {
        mount_change("/", propagation | MountPropagationFlags::REC).unwrap();
    }
}

/// Makes this thread, and every process that it starts, an ordinary user with one additional group.
fn become_user() {
    let (uid, gid) = (Uid::from_raw(USER), Gid::from_raw(USER));
    set_thread_groups(&[Gid::from_raw(USER + 1)]).unwrap();
    set_thread_res_gid(gid, gid, gid).unwrap();
    set_thread_res_uid(uid, uid, uid).unwrap();
}

/// Leaves this thread, and every process that it starts, only the capabilities that root has in a
/// container.
fn limit_capabilities() {
    let kept = CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::FOWNER
        | CapabilitySet::FSETID
        | CapabilitySet::KILL
        | CapabilitySet::SETGID
        | CapabilitySet::SETUID
        | CapabilitySet::SETPCAP
        | CapabilitySet::NET_BIND_SERVICE
        | CapabilitySet::NET_RAW
        | CapabilitySet::SYS_CHROOT
        | CapabilitySet::MKNOD
        | CapabilitySet::AUDIT_WRITE
        | CapabilitySet::SETFCAP;
    for capability in (0..64).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
        // This fails for capabilities that the kernel doesn't know.
        let _ =
            kept.contains(capability) || remove_capability_from_bounding_set(capability).is_ok();
    }
}

/// Starts a sandbox, or fails with the reason why this machine can't run the tests.
pub(crate) fn start(isolation: Isolation, root: &Path) -> Sandbox {
    let folder = root.join("sandbox");
    fs::create_dir_all(&folder).unwrap();
    Sandbox::start_with(isolation, &folder)
        .unwrap_or_else(|error| panic!("{error}: {} ({})", error.cause, error.remedy()))
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns whether overlays should work in `folder`: its file system must store marks, and root
/// must have the right to map owners.
pub(crate) fn has_overlays(folder: &Path) -> bool {
    let marked = rustix::fs::setxattr(folder, "user.a", b"", rustix::fs::XattrFlags::empty());
    marked.is_ok() && (!is_root() || has_right_to_mount())
}

pub(crate) fn has_right_to_mount() -> bool {
    let capabilities = rustix::thread::capabilities(None).unwrap();
    capabilities.effective.contains(CapabilitySet::SYS_ADMIN)
}

impl Lab {
    /// Returns whether commands have namespaces.
    pub(crate) fn has_namespaces(&self) -> bool {
        self.sandbox.isolation() == Isolation::Namespaces
    }

    /// Returns the number of the user that owns what commands write, as they see it.
    pub(crate) fn user(&self) -> String {
        let caller = rustix::process::geteuid().as_raw();
        let user = if self.has_namespaces() { View::STANDARD.user } else { caller };
        user.to_string()
    }

    /// Creates a folder in the test's own folder.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.root.join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Creates a file in the test's own folder, with the folders that lead to it.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let file = self.root.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        file
    }

    /// Specifies a shell script with the host's tools.
    pub(crate) fn sh(&self, script: &str) -> Spec {
        spec(&["sh", "-c", script])
    }

    /// Specifies the probe in this binary, with the host's libraries.
    pub(crate) fn probe(&self, words: &[&str]) -> Spec {
        let argv: Vec<&str> =
            ["/probe", "probe"].into_iter().chain(words.iter().copied()).collect();
        let probe = MountSource::ReadOnly(self.probe.clone());
        spec(&argv).with("/probe", probe)
    }

    /// Runs a command and returns its outcome, whatever it is.
    pub(crate) fn run(&self, spec: &Spec) -> Outcome {
        self.sandbox.run(spec, &Cancel::new()).unwrap_or_else(|error| panic!("{}", chain(&error)))
    }

    /// Runs a command that must succeed, and returns its standard output.
    pub(crate) fn stdout(&self, spec: &Spec) -> String {
        let outcome = self.run(spec);
        assert_eq!(
            outcome.status,
            Status::Exited(0),
            "{}{}",
            text(&outcome.stdout),
            text(&outcome.stderr)
        );
        text(&outcome.stdout)
    }

    /// Runs a script that must succeed, and returns its lines.
    pub(crate) fn lines(&self, script: &str) -> Vec<String> {
        self.stdout(&self.sh(script)).lines().map(str::to_owned).collect()
    }

    /// Returns the message of a run that fails to start, with its causes.
    pub(crate) fn error(&self, spec: &Spec) -> String {
        let result = self.sandbox.run(spec, &Cancel::new());
        chain(&result.expect_err("this can't be run"))
    }
}

/// Specifies a command with the host's system folders and with `PATH` in its environment.
pub(crate) fn spec(argv: &[&str]) -> Spec {
    Spec {
        argv: argv.iter().map(OsString::from).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        cwd: "/".into(),
        mounts: system_folders(),
        view: sandbox::View::STANDARD,
        determinism: None,
        limits: Limits { processes: 200, tmp_bytes: 64 << 20, ..Limits::STANDARD },
        output_cap: 1 << 20,
    }
}

/// Mounts the host's programs and libraries: folders, or links to folders in `/usr`.
fn system_folders() -> Vec<Mount> {
    let folders = ["/usr", "/bin", "/lib", "/lib64", "/sbin"].map(PathBuf::from);
    let mount = |target: PathBuf| {
        let source = match fs::read_link(&target) {
            Ok(to) => MountSource::Symlink(to.into()),
            Err(_) => MountSource::ReadOnly(target.clone()),
        };
        Mount { target, source }
    };
    folders.into_iter().filter(|folder| folder.exists()).map(mount).collect()
}

/// Changes a specification step by step.
pub(crate) trait With: Sized {
    fn with(self, target: impl AsRef<Path>, source: MountSource) -> Self;
    fn limited(self, change: impl FnOnce(&mut Limits)) -> Self;
}

impl With for Spec {
    fn with(mut self, target: impl AsRef<Path>, source: MountSource) -> Self {
        self.mounts.push(Mount { target: target.as_ref().into(), source });
        self
    }

    fn limited(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn chain(error: &SandboxError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
