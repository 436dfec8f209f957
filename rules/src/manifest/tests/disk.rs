//! Checks what is said about the files of a project.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use crate::manifest::{Manifest, Overrides, Secret};

const PROJECT: &str = "[project]\nname = \"p\"\nversion = \"1.0.0\"\n";

/// A project folder beside a folder that does not belong to it.
struct Project {
    root: TempDir,
}

impl Project {
    /// Makes a project with these files, which are empty.
    fn new(files: &[&str]) -> Self {
        let project = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir_all(project.outside()).unwrap();
        fs::create_dir_all(project.dir()).unwrap();
        files.iter().for_each(|file| project.write(file, b""));
        project
    }

    fn dir(&self) -> std::path::PathBuf {
        self.root.path().join("project")
    }

    fn outside(&self) -> std::path::PathBuf {
        self.root.path().join("outside")
    }

    fn write(&self, file: &str, bytes: &[u8]) {
        let path = self.dir().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Reads a run.toml with these lines before `[project]`. Returns the findings, with the project's folder
    /// replaced by `[ROOT]`.
    fn load(&self, text: &str) -> String {
        self.write("run.toml", format!("{text}\n{PROJECT}").as_bytes());
        let (manifest, findings) = Manifest::load(&self.dir(), &Overrides::default());
        assert_eq!(manifest.is_some(), findings.errors() == 0);
        let root = self.root.path().canonicalize().unwrap();
        findings.to_string().replace(root.to_str().unwrap(), "[ROOT]")
    }

    /// Reads like [`load`](Self::load), but returns only the messages and labels, without the drawings.
    #[track_caller]
    fn check(&self, text: &str, expected: &[&str]) {
        let findings = self.load(text);
        let lines = findings.lines().filter_map(|line| {
            let label = line.split_once("^ ").map(|(_, label)| label);
            label.or_else(|| line.strip_prefix("error: ").or(line.strip_prefix("warning: ")))
        });
        assert_eq!(lines.collect::<Vec<_>>(), expected, "{findings}");
    }
}

fn component(lines: &str) -> String {
    format!("[[component]]\nname = \"api\"\n{lines}\n")
}

#[test]
fn files_that_are_there_are_fine() {
    let project = Project::new(&["src/lib.rs", "wit/a.wit", "data/x.txt", "vendor/x.wasm"]);
    project.check(
        &component("source = \"src/lib.rs\"\nwit = \"wit\"\ninputs = [\"data\", \"none/*\"]"),
        &[],
    );
    project.check(&component("path = \"vendor/x.wasm\"\nwit = \"wit/a.wit\""), &[]);
    project.check(&component("source = \"src/lib.rs\"\ncapabilities = [\"filesystem:data\"]"), &[]);
    project.check(
        &component("source = \"src/lib.rs\"\ncapabilities = [\"filesystem:later:rw\"]"),
        &[],
    );
}

#[test]
fn a_mistake_among_many_components_of_one_folder_is_found() {
    let names: Vec<String> = (0..100).map(|number| format!("ready-{number}")).collect();
    let files: Vec<String> = names.iter().map(|name| format!("ready/{name}")).collect();
    let project = Project::new(&files.iter().map(String::as_str).collect::<Vec<_>>());
    project.write("ready/folder/x", b"");
    fs::write(project.outside().join("x"), "").unwrap();
    symlink(project.outside().join("x"), project.dir().join("ready/link")).unwrap();
    let wrong = ["folder", "link", "quite-else"].map(str::to_owned);
    let component =
        |name: &String| format!("[[component]]\nname = \"{name}\"\npath = \"ready/{name}\"\n");
    project.check(
        &names.iter().chain(&wrong).map(component).collect::<String>(),
        &[
            "component `ready/folder` is not a file",
            "expected a file",
            "component `ready/link` leaves the project",
            "a symbolic link leads to `[ROOT]/outside/x`",
            "component `ready/quite-else` does not exist",
            "there is no `quite-else` in `ready`",
        ],
    );
}

#[test]
fn missing_files_are_drawn() {
    let project = Project::new(&["src/api/lib.rs", "wit/api.wit"]);
    let text = component("source = \"src/api/lbi.rs\"\nwit = \"wti/api.wit\"");
    assert_eq!(
        project.load(&text),
        "\
error: source `src/api/lbi.rs` does not exist
 --> run.toml:3:10
  |
3 | source = \"src/api/lbi.rs\"
  |          ^^^^^^^^^^^^^^^^ did you mean `src/api/lib.rs`?

error: WIT `wti/api.wit` does not exist
 --> run.toml:4:7
  |
4 | wit = \"wti/api.wit\"
  |       ^^^^^^^^^^^^^ did you mean `wit/api.wit`?"
    );
}

#[test]
fn missing_files_are_explained() {
    let project = Project::new(&["src/lib.rs", "file"]);
    project.check(
        &component("source = \"quite/else.rs\""),
        &["source `quite/else.rs` does not exist", "there is no `quite` in `.`"],
    );
    project.check(
        &component("source = \"src/main.rs\""),
        &["source `src/main.rs` does not exist", "there is no `main.rs` in `src`"],
    );
    project.check(
        &component("source = \"file/lib.rs\""),
        &["source `file/lib.rs` does not exist", "`file` is a file"],
    );
    project.check(
        &component("path = \"vendor/x.wasm\""),
        &["component `vendor/x.wasm` does not exist", "there is no `vendor` in `.`"],
    );
    project.check(
        &component("source = \"src\"\nlanguage = \"go\""),
        &["source `src` is not a file", "expected a file"],
    );
    project.check(
        &component("source = \"src/lib.rs\"\ninputs = [\"data.txt\"]"),
        &["input `data.txt` does not exist", "there is no `data.txt` in `.`"],
    );
    project.check(
        &component("source = \"src/lib.rs\"\ncapabilities = [\"filesystem:file\"]"),
        &["folder `file` is not a folder", "expected a folder"],
    );
    project.check(
        &component("source = \"src/lib.rs\"\ncapabilities = [\"filesystem:file:rw\"]"),
        &["folder `file` is not a folder", "expected a folder"],
    );
    project.check(
        "[dependencies]\n\"a:b\" = { path = \"../b\" }\n[[component]]\nname = \"api\"\nsource = \"src/lib.rs\"",
        &["package `../b` does not exist", "expected the folder of a WIT package"],
    );
}

#[test]
fn local_packages_may_lie_outside() {
    let project = Project::new(&["src/lib.rs"]);
    project.check(
        &format!(
            "[dependencies]\n\"a:b\" = {{ path = \"../outside\" }}\n{}",
            component("source = \"src/lib.rs\"")
        ),
        &[],
    );
}

#[test]
fn disabled_components_may_lack_their_files() {
    let project = Project::new(&["src/lib.rs"]);
    project.check(
        &format!(
            "{}[[component]]\nname = \"later\"\nsource = \"later.rs\"\nenabled = false",
            component("source = \"src/lib.rs\"")
        ),
        &[],
    );
}

#[test]
fn links_may_not_lead_outside() {
    let project = Project::new(&["src/lib.rs", "wit/a.wit"]);
    fs::write(project.outside().join("lib.rs"), "").unwrap();
    symlink(project.outside(), project.dir().join("out")).unwrap();
    symlink(project.outside().join("lib.rs"), project.dir().join("src/out.rs")).unwrap();
    symlink("nowhere", project.dir().join("src/dangling.rs")).unwrap();
    symlink("lib.rs", project.dir().join("src/inside.rs")).unwrap();
    project.check(&component("source = \"src/inside.rs\""), &[]);
    project.check(
        &component("source = \"out/lib.rs\""),
        &[
            "source `out/lib.rs` leaves the project",
            "a symbolic link leads to `[ROOT]/outside/lib.rs`",
        ],
    );
    project.check(
        &component("source = \"src/out.rs\"\nwit = \"out\""),
        &[
            "source `src/out.rs` leaves the project",
            "a symbolic link leads to `[ROOT]/outside/lib.rs`",
            "WIT `out` leaves the project",
            "a symbolic link leads to `[ROOT]/outside`",
        ],
    );
    project.check(
        &component("source = \"src/dangling.rs\""),
        &["source `src/dangling.rs` does not exist", "this symbolic link leads nowhere"],
    );
}

#[test]
fn the_output_folder_is_checked() {
    let project = Project::new(&["src/lib.rs", "file"]);
    let dir = project.dir();
    symlink(project.outside(), dir.join("out")).unwrap();
    symlink(".", dir.join("here")).unwrap();
    symlink("nowhere", dir.join("dangling")).unwrap();
    let check = |output_dir: &str, expected: &[&str]| {
        let build = format!("[build]\noutput_dir = \"{output_dir}\"\n");
        project.check(&(build + &component("source = \"src/lib.rs\"")), expected);
    };
    check("not/yet/there", &[]);
    check("file", &["output folder `file` cannot be created", "`file` is a file"]);
    check("file/x", &["output folder `file/x` cannot be created", "`file` is a file"]);
    check(
        "out",
        &["output folder `out` leaves the project", "a symbolic link leads to `[ROOT]/outside`"],
    );
    check(
        "out/x",
        &["output folder `out/x` leaves the project", "a symbolic link leads to `[ROOT]/outside`"],
    );
    check("here", &["output folder `here` holds `src/lib.rs`", "a symbolic link leads there"]);
    check(
        "here/src",
        &["output folder `here/src` holds `src/lib.rs`", "a symbolic link leads there"],
    );
    check("here/x", &[]);
    check(
        "dangling",
        &["output folder `dangling` does not exist", "this symbolic link leads nowhere"],
    );
}

#[test]
fn unreadable_files_are_reported() {
    let project = Project::new(&[]);
    let load = || {
        let (manifest, findings) = Manifest::load(&project.dir(), &Overrides::default());
        assert!(manifest.is_none());
        findings.to_string().replace(project.root.path().to_str().unwrap(), "[ROOT]")
    };
    assert_eq!(
        load(),
        "error: run.toml in [ROOT]/project cannot be read: No such file or directory (os error 2)\n\
         --> run.toml"
    );
    project.write("run.toml", &vec![b'#'; (16 << 20) + 1]);
    assert_eq!(
        load(),
        "error: run.toml in [ROOT]/project cannot be read: it has 16777217 bytes; the limit for such a file is 16777216 (16 MiB)\n--> run.toml"
    );
    project.write("run.toml", b"[project]\nname = \"caf\xe9\"\ndescription = \"\xff\xfe\"\n");
    assert_eq!(
        load(),
        "\
error: the file is not UTF-8 text
 --> run.toml:2:12
  |
2 | name = \"caf\u{fffd}\"
  |            ^ expected UTF-8, found 0xe9

error: the file is not UTF-8 text
 --> run.toml:3:16
  |
3 | description = \"\u{fffd}\u{fffd}\"
  |                ^ expected UTF-8, found 0xff"
    );
    let utf16: Vec<u8> = "\u{feff}[project]\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    project.write("run.toml", &utf16);
    assert!(load().ends_with("= help: this looks like UTF-16; save the file as UTF-8"));
}

#[test]
fn a_folder_in_place_of_the_file_is_reported() {
    let project = Project::new(&[]);
    fs::create_dir(project.dir().join("run.toml")).unwrap();
    let (_, findings) = Manifest::load(&project.dir(), &Overrides::default());
    assert!(findings.to_string().contains("cannot be read: "), "{findings}");
}

#[test]
fn the_environment_is_applied() {
    let project = Project::new(&["src/lib.rs"]);
    project
        .write("run.toml", format!("{}{PROJECT}", component("source = \"src/lib.rs\"")).as_bytes());
    let load = |url: &str| {
        let overrides = Overrides {
            registry_url: Some(url.to_owned()),
            auth_token: Some(Secret::new("t0ken")),
        };
        Manifest::load(&project.dir(), &overrides)
    };
    let (manifest, findings) = load("https://registry.example.com");
    let manifest = manifest.unwrap_or_else(|| panic!("{findings}"));
    assert_eq!(manifest.registry.url.as_str(), "https://registry.example.com");
    assert_eq!(manifest.registry.auth_token.as_ref().unwrap().expose(), "t0ken");
    assert!(!format!("{manifest:?}").contains("t0ken"));
    let (manifest, findings) = load("registry");
    assert!(manifest.is_none());
    assert_eq!(
        findings.to_string(),
        "error: RUN_REGISTRY_URL: `registry` is not a URL: it has no scheme\n--> run.toml\n \
         = help: expected an address like `https://registry.example.com`"
    );
}

#[test]
fn nothing_is_written() {
    let project = Project::new(&["src/lib.rs"]);
    project.load(&component("source = \"src/lib.rs\""));
    let mut names: Vec<_> = fs::read_dir(project.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["run.toml", "src"]);
    assert!(!Path::new(&project.dir()).join("target").exists());
}
