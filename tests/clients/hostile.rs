//! Tests checkouts whose files try to run something on the host, through any client that a build or another
//! command starts. Everything that runs would leave a trace. There must be none, and the build must go on as
//! without these files.
//!
//! The trace lies where no action can write, so only a program outside of the sandbox can leave one.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::registry::{Pins, Server, write_project};
use crate::configuration::prebuilt;
use crate::harness::Workspace;

/// A checkout, and the file that the programs that it tries to run would write.
struct Hostile {
    workspace: Workspace,
    trace: PathBuf,
}

impl Hostile {
    fn new(workspace: Workspace) -> Self {
        let trace = workspace.root().join("trace");
        Self { workspace, trace }
    }

    /// Fills a folder of the checkout (`.` is the checkout itself) with all files that programs may look for
    /// in their working directory and the folders above.
    fn poison(self, folder: &str) -> Self {
        let folder = self.workspace.path(folder);
        let evil = folder.join("evil");
        let (evil_text, trace) = (evil.display().to_string(), self.trace.display().to_string());
        script(&evil, &self.trace);
        let toolchain = folder.join("toolchain/bin");
        for program in ["cargo", "rustc"] {
            script(&toolchain.join(program), &self.trace);
        }
        for program in ["git", "node", "python3", "npm", "go"] {
            script(&folder.join("node_modules/.bin").join(program), &self.trace);
        }
        let python = format!("open({trace:?}, \"a\").write(__file__ + \"\\n\")\n");
        let javascript =
            format!("require(\"fs\").appendFileSync({trace:?}, __filename + \"\\n\");\n");
        let cargo = format!(
            "[build]\nrustc = {evil:?}\nrustc-wrapper = {evil:?}\n\
             [registry]\nglobal-credential-providers = [{evil:?}]\n[credential-alias]\nevil = [{evil:?}]\n\
             [net]\ngit-fetch-with-cli = true\n[http]\nproxy = \"http://127.0.0.1:9\"\n[alias]\nfetch = \"evil\"\n"
        );
        let toolchain = folder.join("toolchain");
        let files = [
            (".cargo/config.toml", cargo.clone()),
            (".cargo/config", cargo),
            ("rust-toolchain.toml", format!("[toolchain]\npath = {toolchain:?}\n")),
            ("Cargo.toml", "[workspace]\nmembers = [\"nothing\"]\n".to_owned()),
            (
                ".npmrc",
                format!(
                    "git={evil_text}\nscript-shell={evil_text}\nnode-options=--require={}/evil.cjs\nproxy=http://127.0.0.1:9\n\
                     https-proxy=http://127.0.0.1:9\nignore-scripts=false\ncache=/nowhere\nprefix=/nowhere\n",
                    folder.display()
                ),
            ),
            ("evil.cjs", javascript),
            (
                "package.json",
                format!(
                    "{{ \"name\": \"evil\", \"version\": \"1.0.0\", \"scripts\": {{ \"preinstall\": {evil:?}, \
                     \"prepare\": {evil:?} }}, \"workspaces\": [\"*\"], \"packageManager\": \"npm@0.0.1\" }}"
                ),
            ),
            ("pip.py", python.clone()),
            ("pip/__init__.py", python.clone()),
            ("pip/__main__.py", python.clone()),
            ("sitecustomize.py", python.clone()),
            ("usercustomize.py", python.clone()),
            ("setup.py", python),
            ("pip.conf", "[global]\nproxy = http://127.0.0.1:9\n".to_owned()),
            (".python-version", "0.0.1\n".to_owned()),
            (".node-version", "0.0.1\n".to_owned()),
            (".tool-versions", format!("python path:{evil_text}\nnodejs path:{evil_text}\n")),
            ("go.work", "go 9.9\ntoolchain go9.9.9\n".to_owned()),
            ("go.mod", "module evil\ngo 9.9\ntoolchain go9.9.9\n".to_owned()),
            ("go.env", "GOFLAGS=-toolexec=evil\n".to_owned()),
        ];
        for (path, text) in files {
            let path = folder.join(path);
            // The project's own files are not replaced.
            if !path.exists() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
        }
        self
    }

    /// Removes a file that the build itself has to obey.
    fn forget(&self, path: &str) {
        std::fs::remove_file(self.workspace.path(path)).unwrap();
    }

    #[track_caller]
    fn ran_nothing(&self) {
        let trace = std::fs::read_to_string(&self.trace).unwrap_or_default();
        assert_eq!(trace, "", "something of the checkout ran on the host");
    }
}

/// Writes a program that leaves a trace.
fn script(path: &Path, trace: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("#!/bin/sh\necho \"$0 $*\" >> {}\n", trace.display())).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Makes a workspace with registries, and a project in `app` that needs a package of each.
fn project() -> (Workspace, Server) {
    // The toolchains come from the ordinary registries.
    drop(Workspace::built("polyglot"));
    let workspace = Workspace::new();
    let folder = workspace.root().join("registries");
    let server = Server::of(&folder);
    let pins = Pins::make(&folder, &server.url);
    let workspace = workspace.with_registries(&server.url);
    write_project(&workspace, "app", &pins);
    (workspace, server)
}

/// Checks that the programs leave a trace when they are run. Otherwise the tests below could not fail.
#[test]
fn what_runs_leaves_a_trace() {
    let hostile = Hostile::new(Workspace::new()).poison(".");
    let here = |program: &str, arguments: &[&str]| {
        std::fs::write(&hostile.trace, "").unwrap();
        let folder = hostile.workspace.path(".");
        // `cargo test` tells rustup which toolchain to use.
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).env_remove("RUSTUP_TOOLCHAIN");
        let _ = command.output();
        assert_ne!(std::fs::read_to_string(&hostile.trace).unwrap(), "", "{program}");
    };
    here("./evil", &[]);
    here("python3", &["-m", "pip", "--version"]);
    here("cargo", &["fetch"]);
    here("node", &["-e", "require('./evil.cjs')"]);
}

#[test]
fn a_hostile_checkout_runs_nothing_on_the_host() {
    let (workspace, _server) = project();
    let hostile = Hostile::new(workspace).poison(".").poison("app").poison("app/javascript");
    let hostile = hostile.poison("app/python");
    // An action may see the project's own configuration of cargo, but it could not run programs that are not
    // in its sandbox.
    for config in ["app/.cargo/config.toml", "app/.cargo/config"] {
        hostile.workspace.replace(config, "[build]\nrustc = ", "[build]\n# rustc = ");
        hostile.workspace.replace(config, "rustc-wrapper = ", "# rustc-wrapper = ");
    }
    hostile.forget("app/rust-toolchain.toml");
    hostile.forget("app/Cargo.toml");
    hostile.workspace.run(["-C", "app", "build"]).ok();
    hostile.ran_nothing();
    hostile.workspace.run(["-C", "app", "doctor"]);
    hostile.workspace.run(["doctor"]);
    hostile.ran_nothing();
}

/// Continuous integration that keeps a folder of the checkout has such a layout.
#[test]
fn nothing_above_the_store_and_the_temporary_folder_is_looked_at() {
    let (workspace, _server) = project();
    let hostile = Hostile::new(workspace).poison(".");
    let store = hostile.workspace.path(".cache/run");
    let temporary = hostile.workspace.path(".tmp");
    for folder in [&store, &temporary] {
        std::fs::create_dir_all(folder).unwrap();
    }
    // The shared store with its toolchains is mounted at a place in the checkout.
    let shared = hostile.workspace.store();
    let shared = shared.parent().unwrap().display();
    let enter = format!(
        "mount --bind {shared} {0} && export RUN_HOME={0} TMPDIR={1} && exec \"$@\"",
        store.display(),
        temporary.display()
    );
    let wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", &enter, "sh"];
    hostile.workspace.run_through(&wrapper, &["-C", "app", "build"]).ok();
    hostile.ran_nothing();
}

/// Continuous integration that keeps Cargo's downloads has such a layout.
#[test]
fn a_cargo_home_in_the_checkout_is_not_the_users_configuration() {
    let (workspace, server) = project();
    let hostile = Hostile::new(workspace).poison(".");
    let home = hostile.workspace.path(".cargo");
    std::fs::create_dir_all(hostile.workspace.path(".git")).unwrap();
    // A checkout may say where a registry is.
    let url = &server.url;
    hostile.workspace.write(
        "app/.cargo/config.toml",
        format!("[source.crates-io]\nreplace-with = \"own\"\n[source.own]\nregistry = \"sparse+{url}/index/\"\n"),
    );
    let hostile = Hostile { workspace: hostile.workspace.env("CARGO_HOME", &home), ..hostile };
    hostile.workspace.run(["-C", "app", "build", "-p", "rust"]).ok();
    hostile.ran_nothing();
    assert!(!home.join("registry").exists(), "cargo worked in the home that lies in the checkout");
}

/// This also holds for a Cargo home above the project if there is no repository, and for one in a repository
/// around that of the project, as with a submodule.
#[test]
fn a_cargo_home_around_the_project_is_not_the_users_configuration() {
    for repositories in [&[][..], &[".git/HEAD", "app/.git"]] {
        let (workspace, _server) = project();
        let hostile = Hostile::new(workspace).poison(".");
        for file in repositories {
            hostile.workspace.write(file, "");
        }
        let home = hostile.workspace.path(".cargo");
        let hostile = Hostile { workspace: hostile.workspace.env("CARGO_HOME", &home), ..hostile };
        // This may fail, depending on how crates.io is reached.
        hostile.workspace.run_all(&["-C", "app", "build", "-p", "rust"]);
        hostile.ran_nothing();
        assert!(!home.join("registry").exists(), "{repositories:?}: cargo worked in the home");
    }
}

/// A configuration beside a store that lies in the checkout could choose where toolchains come from.
#[test]
fn a_store_in_the_checkout_leads_to_no_other_folder() {
    for (link, to) in [("store/tmp", "victim"), ("store", "victim"), ("store/kept", "victim")] {
        let workspace = crate::configuration::prebuilt().private_store();
        let victim = workspace.root().join("victim");
        for name in ["victim/.ssh", "victim/tmp/1-a", "victim/Documents"] {
            std::fs::create_dir_all(workspace.root().join(name)).unwrap();
            std::fs::write(workspace.root().join(name).join("file"), "mine").unwrap();
        }
        let place = workspace.path(".cache/run").join(link);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(workspace.root().join(to), &place).unwrap();
        let store = workspace.path(".cache/run");
        let workspace = workspace.env("RUN_HOME", store);
        workspace.run(["build"]).exits(36);
        for name in [".ssh/file", "tmp/1-a/file", "Documents/file"] {
            assert_eq!(std::fs::read_to_string(victim.join(name)).unwrap(), "mine", "{link}");
        }
    }
}

#[test]
fn a_private_folder_that_is_a_link_is_refused() {
    let workspace = crate::configuration::prebuilt();
    let victim = workspace.root().join("victim");
    std::fs::create_dir(&victim).unwrap();
    std::fs::write(victim.join("state"), "mine").unwrap();
    std::os::unix::fs::symlink(&victim, workspace.path(".run")).unwrap();
    workspace.run(["build"]).exits(2).says(".run` is a symbolic link").says("remove it");
    assert_eq!(std::fs::read_to_string(victim.join("state")).unwrap(), "mine");
    workspace.run(["clean"]).exits(2);
    assert_eq!(std::fs::read_to_string(victim.join("state")).unwrap(), "mine", "after clean");
}

#[test]
fn a_configuration_of_run_in_the_checkout_is_not_read() {
    let workspace = prebuilt();
    let home = workspace.path(".cache/run");
    workspace.write(".cache/run/config.toml", "[mirrors]\nunknown = true\n");
    let workspace = workspace.env("RUN_HOME", &home);
    let run = workspace.run(["build"]).ok();
    run.says("is part of the checkout, so it is not read");
    assert!(home.join("store/format").is_file());
    // The same holds in a folder inside.
    workspace.write("inside/file", "");
    workspace.run(["-C", "inside", "build"]).ok().says("is part of the checkout");
}

/// An option on a line of a lockfile could make pip build a package in the checkout.
#[test]
fn lines_of_lockfiles_are_no_options() {
    let check = |path: &str, from: &str, to: &str, code: i32, said: &str| {
        let (workspace, _server) = project();
        let hostile = Hostile::new(workspace).poison("app");
        hostile.forget("app/Cargo.toml");
        hostile.workspace.replace(path, from, to);
        let name = path.split('/').nth(1).unwrap();
        hostile.workspace.run(["-C", "app", "build", "-p", name]).exits(code).says(said);
        hostile.ran_nothing();
    };
    let requirements = "app/python/requirements.txt";
    check(requirements, "unique", "--pre -e .\nunique", 2, "`--pre` has no value");
    check(requirements, "unique", "-f x -e .\nunique", 2, "`-f` has one word as its value");
    check(requirements, "unique==1.0.0", "unique==1.0.0 -e . ", 2, "");
    let lock = "app/javascript/package-lock.json";
    let version = "\"version\": \"1.0.0\", \"integrity\"";
    check(lock, version, "\"version\": \"file:..\", \"integrity\"", 2, "");
    check(lock, "node_modules/unique", "node_modules/--script-shell=evil", 2, "");
    let lock = "app/rust/Cargo.lock";
    check(lock, "name = \"unique\"", "name = \"../../unique\"", 2, "is not a package entry");
}

/// git is asked for the time of the last commit, and the configuration of a repository can name programs.
#[test]
fn a_hostile_repository_runs_nothing() {
    let workspace = prebuilt();
    let text = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{text}\n[build]\nreproducible = true\n"));
    let hostile = Hostile::new(workspace).poison(".");
    let evil = hostile.workspace.path("evil").display().to_string();
    let git = |arguments: &[&str]| {
        let folder = hostile.workspace.path(".");
        let status = Command::new("git").arg("-C").arg(folder).args(arguments).output().unwrap();
        assert!(status.status.success(), "{arguments:?}");
    };
    git(&["init", "--quiet"]);
    let who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgSign=false"];
    git(&[&who[..], &["commit", "--quiet", "--allow-empty", "-m", "one"]].concat());
    for setting in [
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "core.gitProxy",
        "core.editor",
        "gpg.program",
        "gpg.ssh.program",
        "diff.external",
        "credential.helper",
        "alias.log",
        "alias.cat-file",
        "uploadpack.packObjectsHook",
        "filter.evil.smudge",
    ] {
        git(&["config", setting, &evil]);
    }
    git(&["config", "log.showSignature", "true"]);
    git(&["config", "core.hooksPath", "."]);
    hostile.workspace.run(["build"]).ok();
    hostile.ran_nothing();
    // A commit is missing, and the configuration names a place from which it could be fetched.
    git(&["config", "extensions.partialClone", "origin"]);
    git(&["config", "remote.origin.url", &format!("ext::{evil}")]);
    git(&["config", "remote.origin.uploadpack", &evil]);
    git(&["config", "remote.origin.promisor", "true"]);
    git(&["config", "protocol.ext.allow", "always"]);
    std::fs::remove_dir_all(hostile.workspace.path(".git/objects")).unwrap();
    std::fs::create_dir(hostile.workspace.path(".git/objects")).unwrap();
    let refused = hostile.workspace.run(["build"]).exits(36);
    refused.says("time of the last commit").says("SOURCE_DATE_EPOCH");
    hostile.ran_nothing();
}
