//! Tests crates of git repositories, pinned by the commits in Cargo.lock.
//!
//! The repositories lie beside the project. Their content is unique to each run, so that nothing is in the store before.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{app, local};
use crate::harness::Workspace;

/// A repository that a project depends on.
struct Repository {
    folder: PathBuf,
}

impl Repository {
    /// Makes an empty repository beside the project.
    fn new(workspace: &Workspace, name: &str) -> Self {
        let folder = workspace.root().join("upstream").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let this = Self { folder };
        this.git(&["init", "--quiet", "-b", "main"]);
        this
    }

    fn url(&self) -> String {
        format!("file://{}", self.folder.display())
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        let user =
            ["-c", "user.name=a", "-c", "user.email=a@a", "-c", "protocol.file.allow=always"];
        command.args(user).arg("-C").arg(&self.folder).args(arguments);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", "/nowhere");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits all files, and returns the commit.
    fn commit(&self) -> String {
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "-m", "a commit"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Returns the source of a lockfile, without the commit.
    fn source(&self, reference: &str) -> String {
        format!("git+{}{reference}", self.url())
    }
}

/// The entry of a lockfile for a crate that no other test uses, so that Cargo fetches it into a new store.
const FNV: &str = "name = \"fnv\"\nversion = \"1.0.7\"\n\
     source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
     checksum = \"3f9eec918d3f24069decb9af1554cad7c880e2da24a9afd88aca000531ab82c1\"";

/// Returns the entry of a lockfile for a crate of a repository.
fn locked(name: &str, version: &str, source: &str, dependencies: &str) -> String {
    format!(
        "name = \"{name}\"\nversion = \"{version}\"\nsource = \"{source}\"\ndependencies = [{dependencies}]"
    )
}

/// Fills a repository with a workspace of two packages, which look beyond their folders.
fn library(repository: &Repository, unique: &str) {
    repository.file(
        "Cargo.toml",
        "[workspace]\nresolver = \"2\"\nmembers = [\"crates/*\"]\n\
         [workspace.package]\nversion = \"0.3.0\"\nedition = \"2021\"\nreadme = \"README.md\"\n\
         [workspace.dependencies]\ninner = { path = \"crates/inner\" }\n",
    );
    repository.file("README.md", &format!("Read me: {unique}.\n"));
    repository.file("shared/data.txt", "shared");
    repository.file(
        "crates/top/Cargo.toml",
        "[package]\nname = \"top\"\nversion.workspace = true\nedition.workspace = true\nreadme.workspace = true\n\
         [dependencies]\ninner.workspace = true\nfnv = \"1\"\n",
    );
    repository.file(
        "crates/top/build.rs",
        "fn main() {\n    let text = std::fs::read_to_string(\"../../shared/data.txt\").unwrap();\n    \
         println!(\"cargo::rustc-env=SHARED={text}\");\n}\n",
    );
    std::fs::create_dir_all(repository.folder.join("crates/top")).unwrap();
    std::os::unix::fs::symlink("../../sources/top", repository.folder.join("crates/top/src"))
        .unwrap();
    repository.file(
        "sources/top/lib.rs",
        "#![doc = include_str!(\"../../README.md\")]\n\
         pub fn top() -> String {\n    let mut map = fnv::FnvHashMap::default();\n    \
         map.insert(1, inner::NUMBER);\n    \
         format!(\"{} {} {} {}\", env!(\"SHARED\"), env!(\"CARGO_PKG_README\"), env!(\"CARGO_MANIFEST_DIR\").len(),\n    \
         map[&1])\n}\n",
    );
    repository.file(
        "crates/inner/Cargo.toml",
        "[package]\nname = \"inner\"\nversion.workspace = true\n[lib]\npath = \"../../sources/inner.rs\"\n",
    );
    repository.file("sources/inner.rs", &format!("// {unique}\npub const NUMBER: u32 = 1;\n"));
}

/// Makes a project that depends on a package of one commit, and on a package of the next commit.
fn dependent(workspace: Workspace, repository: &Repository, commits: &[String; 2]) -> Workspace {
    let (first, url) = (&commits[0], repository.url());
    let by_revision = repository.source(&format!("?rev={first}"));
    let by_branch = repository.source("?branch=main");
    let at = |source: &str, commit: &str| format!("{source}#{commit}");
    let both = format!("\"inner 0.3.0 ({by_branch})\", \"top\"");
    workspace
        .package(
            "",
            "app",
            &format!(
                "[dependencies]\ntop = {{ git = \"{url}\", rev = \"{first}\" }}\n\
                 newer = {{ git = \"{url}\", branch = \"main\", package = \"inner\" }}\n"
            ),
        )
        .file("src/main.rs", "fn main() { println!(\"{} {}\", top::top(), newer::NUMBER); }\n")
        .cargo_lock(&[
            &local("app", &both),
            FNV,
            &locked("inner", "0.3.0", &at(&by_branch, &commits[1]), ""),
            &locked("inner", "0.3.0", &at(&by_revision, first), ""),
            &locked(
                "top",
                "0.3.0",
                &at(&by_revision, first),
                &format!("\"inner 0.3.0 ({by_revision})\", \"fnv\""),
            ),
        ])
}

#[test]
fn crates_of_two_commits_are_compiled_where_they_lie_in_the_repository() {
    let workspace = app("src/main.rs");
    let repository = Repository::new(&workspace, "library");
    let unique = workspace.root().display().to_string();
    library(&repository, &unique);
    let first = repository.commit();
    repository.file("sources/inner.rs", &format!("// {unique}\npub const NUMBER: u32 = 2;\n"));
    let commits = [first, repository.commit()];
    let workspace = dependent(workspace, &repository, &commits);
    let run = workspace.run(["build"]).ok();
    let length = format!("/deps/git/{}/crates/top", commits[0]).len();
    assert_eq!(workspace.app_prints(), format!("shared ../../README.md {length} 1 2\n"));
    let ran = run.ran();
    for label in ["cargo:fetch repositories", "top 0.3.0:run build script"] {
        assert!(ran.contains(&label), "{ran:?}");
    }
    let inner = ran.iter().filter(|label| label.starts_with("inner 0.3.0:compile library"));
    assert_eq!(inner.count(), 2, "{ran:?}");

    // An edit compiles the project's own crate alone, also without a network.
    workspace.replace("src/main.rs", "{} {}", "{} and {}");
    let run = workspace.run(["build", "--offline"]).ok();
    assert_eq!(run.ran(), ["app:compile", "app:finish"]);
    assert_eq!(workspace.app_prints(), format!("shared ../../README.md {length} 1 and 2\n"));

    // A project elsewhere gets the same bytes, and shares what is compiled.
    let other = dependent(app("src/main.rs"), &repository, &commits);
    other.replace("src/main.rs", "{} {}", "{} and {}");
    let run = other.run(["build"]).ok();
    assert!(!run.ran().iter().any(|label| label.contains("0.3.0:compile")), "{:?}", run.ran());
    assert_eq!(other.read("target/wasm/app.wasm"), workspace.read("target/wasm/app.wasm"));
    other.run(["verify"]).ok();

    // The order of the entries in Cargo.toml does not show, and neither does another dependency.
    let manifest = other.read_text("Cargo.toml");
    let mut lines: Vec<&str> = manifest.lines().collect();
    let last = lines.len() - 1;
    lines.swap(last - 1, last);
    other.write("Cargo.toml", lines.join("\n"));
    other.run(["build"]).ok();
    assert_eq!(other.read("target/wasm/app.wasm"), workspace.read("target/wasm/app.wasm"));
}

#[test]
fn submodules_belong_to_the_commit() {
    let workspace = app("src/main.rs");
    let unique = workspace.root().display().to_string();
    let data = Repository::new(&workspace, "data");
    data.file("text.txt", &unique);
    data.file("helper/Cargo.toml", "[package]\nname = \"helper\"\nversion = \"0.1.0\"\n");
    data.file("helper/src/lib.rs", "pub const HELP: &str = \"help\";\n");
    data.commit();
    let reader = Repository::new(&workspace, "reader");
    reader.file(
        "Cargo.toml",
        "[package]\nname = \"reader\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nhelper = { path = \"data/helper\" }\n",
    );
    reader.file(
        "src/lib.rs",
        "pub const TEXT: &str = include_str!(\"../data/text.txt\");\npub use helper::HELP;\n",
    );
    reader.git(&["submodule", "--quiet", "add", "../data", "data"]);
    let commit = reader.commit();
    // What is in the submodule's repository later does not count.
    data.file("text.txt", "later");
    data.commit();
    let source = reader.source("");
    let workspace = workspace
        .package("", "app", &format!("[dependencies]\nreader = {{ git = \"{}\" }}\n", reader.url()))
        .file("src/main.rs", "fn main() { println!(\"{} {}\", reader::TEXT, reader::HELP); }\n")
        .cargo_lock(&[
            &local("app", "\"reader\""),
            &locked("helper", "0.1.0", &format!("{source}#{commit}"), ""),
            &locked("reader", "0.1.0", &format!("{source}#{commit}"), "\"helper\""),
        ]);
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), format!("{unique} help\n"));
    // The next commit has the same submodule, which is not fetched again.
    let moved = data.folder.with_extension("moved");
    std::fs::rename(&data.folder, &moved).unwrap();
    reader.file("new.txt", "");
    let next = reader.commit();
    workspace.replace("Cargo.lock", &commit, &next);
    workspace.run(["build"]).ok();
    // A commit of a submodule that can't be fetched is told.
    std::fs::rename(moved, &data.folder).unwrap();
    reader.git(&["-C", "data", "pull", "--quiet"]);
    let last = reader.commit();
    std::fs::remove_dir_all(&data.folder).unwrap();
    workspace.replace("Cargo.lock", &next, &last);
    let run = workspace.run(["build"]).says("Cargo.lock:11: cannot get crate `helper`");
    assert_ne!(run.code, 0);
    run.says("submodule `data` at commit").says(&format!("`git fetch {}", data.url()));
}

/// Makes a project that depends on a small repository.
fn small(workspace: Workspace, repository: &Repository) -> (Workspace, String) {
    repository.file("Cargo.toml", "[package]\nname = \"small\"\nversion = \"0.1.0\"\n");
    let text = format!("pub const TEXT: &str = {:?};\n", workspace.root());
    repository.file("src/lib.rs", &text);
    let commit = repository.commit();
    let manifest = format!("[dependencies]\nsmall = {{ git = \"{}\" }}\n", repository.url());
    let workspace = workspace
        .package("", "app", &manifest)
        .file("src/main.rs", "fn main() { println!(\"{}\", small::TEXT); }\n")
        .cargo_lock(&[
            &local("app", "\"small\""),
            &locked("small", "0.1.0", &format!("{}#{commit}", repository.source("")), ""),
        ]);
    (workspace, commit)
}

#[test]
fn what_keeps_a_repository_from_being_fetched_is_told() {
    let workspace = app("src/main.rs");
    let repository = Repository::new(&workspace, "small");
    let (workspace, commit) = small(workspace, &repository);
    let lock = workspace.read_text("Cargo.lock");
    // Offline, before the commit is here.
    let from = format!("from commit {commit} of {}", repository.url());
    let place = "Cargo.lock:11: cannot get crate `small`";
    let run = workspace.run(["build", "--offline"]).exits(1).says(place).says(&from);
    run.says(
        "it is not on this machine, and this build is offline; build once without `--offline`",
    );
    // The repository has another history now.
    let absent = "0123456789012345678901234567890123456789";
    workspace.replace("Cargo.lock", &commit, absent);
    let run = workspace.run(["build"]).exits(1).says(place);
    run.says("the repository has no such commit").says("`cargo update -p`");
    // There is no repository.
    workspace.write("Cargo.lock", lock.replace("upstream/small", "upstream/none"));
    workspace.replace("Cargo.toml", "upstream/small", "upstream/none");
    let run =
        workspace.run(["build"]).says(place).says("check that you can fetch it with `git fetch");
    assert_ne!(run.code, 0);
    workspace.replace("Cargo.toml", "upstream/none", "upstream/small");
    // The commit has no such package.
    workspace.write("Cargo.lock", lock.replace("0.1.0\"\nsource", "0.2.0\"\nsource"));
    let run = workspace.run(["build"]).exits(1).says("Cargo.lock:11: cannot use what commit");
    run.says("has no package `small` 0.2.0").says("`cargo update -p small`");
    // The lockfile names no commit.
    workspace.write("Cargo.lock", lock.replace(&format!("#{commit}"), ""));
    let run = workspace.run(["build"]).exits(2).says("Cargo.lock:11: crate `small` comes from");
    run.says("which names no commit").says("`cargo update -p small`");
    // The manifest asks for what is not in the lockfile.
    workspace.write("Cargo.lock", &lock);
    workspace.replace("Cargo.toml", "\" }", "\", tag = \"v1\" }");
    let run = workspace.run(["build"]).exits(2);
    let run = run.says("Cargo.toml:6: Cargo.lock has no commit for dependency `small`");
    run.says("`cargo update --workspace`");
    workspace.replace("Cargo.toml", ", tag = \"v1\"", "");
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), format!("{}\n", workspace.root().display()));
}

/// Nothing of a repository runs outside the sandbox, neither for the fetch nor for what Cargo reads.
#[test]
fn a_repository_configures_nothing_outside_the_sandbox() {
    let workspace = app("src/main.rs");
    let repository = Repository::new(&workspace, "small");
    let trap = workspace.root().join("trap");
    let touch = format!("#!/bin/sh\ntouch {}\n", trap.display());
    repository.file("touch.sh", &touch);
    repository.file(".gitattributes", "* filter=evil diff=evil export-subst\n");
    repository.file(".cargo/config.toml", "[build]\nrustc-wrapper = \"./touch.sh\"\n");
    repository.file("rust-toolchain.toml", "[toolchain]\npath = \"./evil\"\n");
    repository
        .file("build.rs", &format!("fn main() {{ let _ = std::fs::write({trap:?}, \"\"); }}\n"));
    let (workspace, _) = small(workspace, &repository);
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), format!("{}\n", workspace.root().display()));
    assert!(!Path::new(&trap).exists());
}
