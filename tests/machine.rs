//! Tests errors about the machine: they are reported at once, and in the same words in every command.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode};

use crate::configuration::prebuilt;
use crate::harness::{Run, Workspace};

/// The hint about a full file system, which is the same in every place.
const NO_ROOM: &str = "hint: there is no room left: free some, or set RUN_HOME";

fn fifo(path: &Path) {
    if path.exists() {
        std::fs::remove_file(path).unwrap();
    }
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

/// Checks that a command ends quickly.
fn at_once(run: impl FnOnce() -> Run) -> Run {
    let begin = Instant::now();
    let run = run();
    assert!(begin.elapsed() < Duration::from_secs(20), "it waited");
    run
}

#[test]
fn a_fifo_in_the_place_of_a_file_is_named_at_once() {
    let told = "it is a FIFO and not a regular file";
    let workspace = prebuilt();
    workspace.run(["build"]).ok();
    fifo(&workspace.path(".run/state"));
    fifo(&workspace.path(".run/outputs"));
    at_once(|| workspace.run(["build"])).exits(36).says(".run/outputs");
    std::fs::remove_file(workspace.path(".run/outputs")).unwrap();
    at_once(|| workspace.run(["build"])).ok();
    assert!(workspace.path(".run/state").is_file(), "a state of no use is replaced");
    fifo(&workspace.path("run.lock.toml"));
    at_once(|| workspace.run(["build"])).exits(2).says("run.lock.toml").says(told);
    std::fs::remove_file(workspace.path("run.lock.toml")).unwrap();
    fifo(&workspace.path("vendor/legacy.wasm"));
    at_once(|| workspace.run(["build"])).exits(2).says("vendor/legacy.wasm");
    fifo(&workspace.path("run.toml"));
    at_once(|| workspace.run(["build"])).exits(2).says("run.toml").says(told);
    let workspace = prebuilt();
    fifo(&workspace.store().with_file_name("config.toml"));
    at_once(|| workspace.run(["build"])).exits(2).says("config.toml").says(told);
}

/// Returns every entry of the action cache.
fn entries(workspace: &Workspace) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(workspace.store().join("ac/blake3")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn an_unreadable_cache_entry_is_a_miss_with_one_warning() {
    let workspace = prebuilt();
    workspace.run(["build"]).ok();
    for make in [|path: &Path| std::fs::create_dir_all(path.join("x")).unwrap(), fifo] {
        for entry in entries(&workspace) {
            if entry.is_dir() {
                std::fs::remove_dir_all(&entry).unwrap();
            } else {
                std::fs::remove_file(&entry).unwrap();
            }
            make(&entry);
        }
        std::fs::remove_dir_all(workspace.path(".run")).unwrap();
        let run = at_once(|| workspace.run(["build"])).ok();
        assert_eq!(run.ran(), ["legacy:finish"]);
        let warnings = run.stderr.matches("warning: cannot read the cache entry").count();
        assert_eq!(warnings, 1, "{}", run.stderr);
        assert!(run.stderr.contains("/ac/blake3/"), "{}", run.stderr);
    }
}

#[test]
fn a_store_that_root_closed_says_whose_it_is() {
    let workspace = prebuilt();
    workspace.run(["build"]).ok();
    let home = workspace.store().parent().unwrap().to_owned();
    let workspace = workspace.user(1234);
    for (folder, mode) in [(home.clone(), 0o700), (home.join("store/tmp"), 0o755)] {
        std::os::unix::fs::lchown(&folder, Some(0), Some(0)).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
        let run = workspace.run(["build"]).exits(36);
        let told = format!("`{}` belongs to root and has the mode {mode:04o}", folder.display());
        assert!(run.stderr.contains(&told), "{}", run.stderr);
        give_back(&run);
        // The folder may be entered again.
        workspace.run(["info"]).ok();
    }
    workspace.run(["build"]).ok();
    // Here root has made folders below those of the user.
    let inside = std::fs::read_dir(home.join("store/cas/blake3")).unwrap();
    for folder in inside.map(|folder| folder.unwrap().path()) {
        std::os::unix::fs::lchown(&folder, Some(0), Some(0)).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    std::fs::remove_dir_all(workspace.path(".run")).unwrap();
    let run =
        workspace.run(["build"]).exits(36).says("a part of the store belongs to another user");
    give_back(&run);
    workspace.run(["build"]).ok();
}

/// Follows the hint of the message. Tests run as root, so `sudo` is left out.
fn give_back(run: &Run) {
    let command = run.stderr.split('`').find_map(|text| text.strip_prefix("sudo "));
    let command = command.unwrap_or_else(|| panic!("no `sudo …` in:\n{}", run.stderr));
    assert!(command.starts_with("chown -R 1234 /"), "{command}");
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

/// A small file system in memory, which is mounted on a folder of the workspace.
struct Small(PathBuf);

impl Small {
    fn new(at: PathBuf, size: &str) -> Self {
        std::fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=755"), "small"])
            .arg(&at)
            .status();
        assert!(mounted.unwrap().success(), "run these tests as root: they mount");
        Self(at)
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        let zeros = [0; 4096];
        while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_store_has_one_code_and_one_sentence() {
    // One store is full from the beginning, and one is filled by the sources.
    for size in ["64k", "1m"] {
        let workspace = prebuilt();
        let store = Small::new(workspace.store().parent().unwrap().to_owned(), size);
        let filler = b"\0\x80\x80\x80\x01\x01n";
        let mut wasm = workspace.read("vendor/legacy.wasm");
        wasm.extend_from_slice(filler);
        wasm.resize(wasm.len() + (2 << 20) - 2, 7);
        workspace.write("vendor/legacy.wasm", wasm);
        if size == "64k" {
            store.fill();
        }
        workspace.run(["build"]).exits(36).says(NO_ROOM);
    }
    // This store is filled by the result, or by the entry about it.
    let workspace = prebuilt();
    let store = Small::new(workspace.store().parent().unwrap().to_owned(), "4m");
    workspace.run(["build"]).ok();
    store.fill();
    let text = workspace.read_text("run.toml");
    workspace.write("run.toml", text.replace("\"legacy\"", "\"other\""));
    let mut wasm = workspace.read("vendor/legacy.wasm");
    wasm.extend_from_slice(b"\0\x03\x01nx");
    workspace.write("vendor/legacy.wasm", wasm);
    workspace.run(["build"]).exits(36).says(NO_ROOM);
}

#[test]
fn a_full_output_folder_has_the_same_code_and_sentence() {
    let workspace = prebuilt();
    let output = Small::new(workspace.path("target"), "64k");
    output.fill();
    workspace.run(["build"]).exits(36).says("target/wasm").says(NO_ROOM);
}

/// Runs a line in a shell, which is needed to redirect streams.
fn shell(workspace: &Workspace, line: &str) -> Run {
    let line = format!("run() {{ \"$@\"; }}; r=$1; {line}");
    workspace.run_through(&["/bin/sh", "-c", &line, "sh"], &[])
}

#[test]
fn results_that_are_lost_are_an_error() {
    let workspace = prebuilt();
    for arguments in ["info", "--help", "--version", "doctor", "build --message-format json"] {
        let run = shell(&workspace, &format!("$r {arguments} > /dev/full"));
        let run = run.exits(36).says("error: cannot write to standard output");
        assert!(run.stderr.contains("No space left on device"), "{}", run.stderr);
    }
    for line in ["$r info 2> /dev/full", "$r info 2>&-", "$r build 2> /dev/full", "$r build >&-"] {
        shell(&workspace, line).ok();
    }
    shell(&workspace, "$r biuld 2> /dev/full").exits(2);
    // A reader that closes the pipe is not an error.
    let quiet = "{ $r info; echo $? >&2; } | true";
    let run = shell(&workspace, &format!("{quiet}; {quiet}; {quiet}")).ok();
    assert_eq!(run.stderr, "0\n0\n0\n");
}

#[test]
fn caches_and_configuration_may_lie_without_a_home() {
    let workspace = prebuilt();
    let cache = workspace.root().join("cache");
    let cache = cache.display();
    shell(&workspace, &format!("unset HOME RUN_HOME; XDG_CACHE_HOME={cache} $r build")).ok();
    assert!(workspace.root().join("cache/run/store/format").is_file());
    let neither = shell(&workspace, "unset HOME RUN_HOME XDG_CACHE_HOME; $r build");
    neither.exits(36).says("set HOME or XDG_CACHE_HOME");
    let config = workspace.root().join("config/run/config.toml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    let store = workspace.root().join("chosen");
    std::fs::write(&config, format!("[store]\npath = \"{}\"\n", store.display())).unwrap();
    let config = config.ancestors().nth(2).unwrap().display();
    shell(&workspace, &format!("unset HOME RUN_HOME; XDG_CONFIG_HOME={config} $r build")).ok();
    assert!(store.join("format").is_file());
}

#[test]
fn a_thread_that_cannot_be_started_is_told() {
    let workspace = prebuilt().user(1235);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // These are the program itself, the threads that hash, one that waits for signals, and one for the
    // action.
    let threads = 1 + cores + 1 + 1;
    for limit in 0..threads {
        let run = workspace.run_through(&["prlimit", &format!("--nproc={limit}")], &["build"]);
        run.exits(36).says("error: cannot start a thread").says("(os error 11)");
    }
    let run = workspace.run_through(&["prlimit", &format!("--nproc={threads}")], &["build"]);
    run.exits(36)
        .says("cannot start a worker")
        .says("(os error 11)")
        .says("there are too many processes");
    // The worker and its thread are two more.
    let enough = format!("--nproc={}", threads + 2);
    workspace.run_through(&["prlimit", &enough], &["build"]).ok();
}

#[test]
fn a_name_that_is_not_utf_8_is_no_matter_unless_it_is_an_input() {
    // The build is offline, with an empty store, so it fails at its first download if it can be planned.
    let build = |odd: &[u8], inputs: &str| {
        let workspace = Workspace::example("polyglot").private_store();
        let wit = "wit = \"components/greeter/wit\"\n";
        workspace.replace("run.toml", wit, &format!("{wit}{inputs}"));
        let odd = workspace.path("components/greeter").join(OsStr::from_bytes(odd));
        std::fs::create_dir_all(odd.parent().unwrap()).unwrap();
        std::fs::write(odd, "").unwrap();
        workspace.run(["build", "-p", "greeter", "--locked", "--offline"])
    };
    build(b"n\xffte.txt", "").exits(1).says("offline");
    build(b"n\xfftes/note.txt", "").exits(1).says("offline");
    build(b"n\xffte.txt", "inputs = [\"components/**/*.wit\"]\n").exits(1).says("offline");
    let refused = build(b"n\xffte.py", "").exits(2);
    refused.says("components/greeter/n\\xffte.py").says("is not UTF-8").says("rename it");
    build(b"n\xffte.txt", "inputs = [\"components/**/*.txt\"]\n").exits(2).says("n\\xffte.txt");
}

/// This holds even with the loosest umask, because another user may look for a program with the set-user-ID
/// bit.
#[test]
fn what_actions_write_is_closed_to_other_users() {
    let workspace = prebuilt();
    shell(&workspace, "umask 000; $r build").ok();
    for folder in ["quarantine", "kept"] {
        let mode = std::fs::metadata(workspace.store().join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700, "{folder}");
    }
}
