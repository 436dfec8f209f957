//! Tests of whole completions on disk: which packages get in, where they come from, and what is said when one
//! is missing.

use wit_parser::Resolve;

use super::*;
use crate::wit::resolve;

/// A project on disk and a request to complete its `wit`.
struct Project {
    folder: tempfile::TempDir,
    request: Request,
    store: ContentStore,
}

impl Project {
    fn new(wit: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let request = Request {
            root: folder.path().to_owned(),
            wit: Some(wit.into()),
            dependencies: BTreeMap::new(),
            packages: Vec::new(),
            features: BTreeMap::new(),
            world: None,
        };
        let store = folder.path().join("store");
        let store = ContentStore::open(&store, cache::DigestFunction::Blake3).unwrap();
        Self { folder, request, store }
    }

    /// Adds a package that was fetched. `files` are the files of its tree.
    fn fetched(mut self, name: &str, version: &str, direct: bool, files: &[(&str, &[u8])]) -> Self {
        let mut tree = cache::Tree::default();
        for (path, bytes) in files {
            let digest = self.store.put(bytes).unwrap();
            tree.insert(path, cache::Entry::File { digest, executable: false }).unwrap();
        }
        self.request.packages.push(FetchedPackage {
            name: name.into(),
            version: version.parse().unwrap(),
            tree: self.store.put_tree(&tree).unwrap().to_string(),
            is_direct: direct,
        });
        self
    }

    fn feature(mut self, name: &str, feature: &str) -> Self {
        self.request.features.entry(name.into()).or_default().insert(feature.into());
        self
    }

    fn complete(&self) -> Result<CompletedWit, CompleteError> {
        complete(&self.request, &self.store)
    }

    fn path(mut self, name: &str, path: &str) -> Self {
        self.request.dependencies.insert(name.into(), Dependency::Path(path.into()));
        self
    }

    fn version(mut self, name: &str, version: &str) -> Self {
        let version = Version::parse(version).unwrap();
        self.request.dependencies.insert(name.into(), Dependency::Version(version));
        self
    }

    fn world(mut self, world: &str) -> Self {
        self.request.world = Some(world.into());
        self
    }

    /// Checks that the completed folder holds exactly these files, and that every reader of WIT folders
    /// accepts it as a package.
    #[track_caller]
    fn completes_to(&self, expect: &[&str]) -> CompletedWit {
        let completed = self.complete().unwrap();
        let paths: Vec<&str> = completed.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, expect);
        let resolved = resolve(&completed.files).unwrap();
        assert_eq!(resolved.resolve.packages[resolved.package].name, completed.package);
        self.reads_as_a_folder(&completed);
        completed
    }

    #[track_caller]
    fn reads_as_a_folder(&self, completed: &CompletedWit) {
        let out = self.folder.path().join("out");
        for file in &completed.files {
            let path = out.join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &*file.text).unwrap();
        }
        let mut resolve = Resolve::new();
        let (package, _) = resolve.push_dir(out).unwrap();
        assert_eq!(resolve.packages[package].name, completed.package);
    }

    #[track_caller]
    fn fails(&self, message: &str, hint: Option<&str>) {
        let error = self.complete().unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.hint().as_deref(), hint);
    }
}

fn text<'a>(completed: &'a CompletedWit, path: &str) -> &'a str {
    &completed.files.iter().find(|file| file.path == path).unwrap().text
}

const IO: &str = "package wasi:io@0.2.4;\ninterface poll { resource mine; }\nworld imports {}";

#[test]
fn nothing_is_needed() {
    let calc = "package demo:calc;\ninterface ops { f: func(); }\nworld calc { export ops; }";
    Project::new("wit", &[("wit/world.wit", calc)]).completes_to(&["world.wit"]);
    Project::new("wit/calc.wit", &[("wit/calc.wit", calc)]).completes_to(&["calc.wit"]);
}

#[test]
fn built_in_packages_come_with_what_they_need() {
    let web = "package demo:web;\nworld web { include wasi:http/proxy@0.2.4; }";
    let completed = Project::new("wit", &[("wit/world.wit", web)]).completes_to(&[
        "deps/wasi-cli-0.2.4/package.wit",
        "deps/wasi-clocks-0.2.4/package.wit",
        "deps/wasi-filesystem-0.2.4/package.wit",
        "deps/wasi-http-0.2.4/package.wit",
        "deps/wasi-io-0.2.4/package.wit",
        "deps/wasi-random-0.2.4/package.wit",
        "deps/wasi-sockets-0.2.4/package.wit",
        "world.wit",
    ]);
    assert_eq!(completed.built_in.len(), 7);
    assert_eq!(text(&completed, "world.wit"), web);
}

#[test]
fn every_built_in_release_completes() {
    for patch in 0..=12 {
        let web = format!(
            "package demo:web;
             world web {{
               include wasi:http/proxy@0.2.{patch};
               include wasi:cli/command@0.2.{patch};
             }}"
        );
        let project = Project::new("wit", &[("wit/world.wit", &web)]);
        let completed = project.complete().unwrap();
        project.reads_as_a_folder(&completed);
        assert_eq!(completed.files.len(), 8, "0.2.{patch}");
    }
}

#[test]
fn own_deps_win_and_only_what_is_used_gets_in() {
    let poll = "package demo:app;\nworld app { import wasi:io/poll@0.2.4; }";
    let completed = Project::new(
        "wit",
        &[
            ("wit/world.wit", poll),
            ("wit/deps/io/io.wit", IO),
            ("wit/deps/unused.wit", "package un:used;"),
        ],
    )
    .completes_to(&["deps/wasi-io-0.2.4/io.wit", "world.wit"]);
    assert_eq!(text(&completed, "deps/wasi-io-0.2.4/io.wit"), IO);
    assert!(completed.built_in.is_empty());
}

#[test]
fn a_package_of_several_files_stays_whole() {
    let files = [
        ("wit/a.wit", "package demo:app;\nworld app { import other:lib/one@1.0.0; import b; }"),
        ("wit/b.wit", "interface b {}"),
        ("wit/deps/lib/one.wit", "package other:lib@1.0.0;\ninterface one {}"),
        ("wit/deps/lib/two.wit", "interface two {}"),
        ("wit/deps/lib/README.md", "not WIT"),
    ];
    Project::new("wit", &files).completes_to(&[
        "a.wit",
        "b.wit",
        "deps/other-lib-1.0.0/one.wit",
        "deps/other-lib-1.0.0/two.wit",
    ]);
}

#[test]
fn neighbours_are_found_by_a_single_file() {
    let files = [
        ("wit/api.wit", "package my:api;\nworld api { import my:auth/check; }"),
        ("wit/auth.wit", "package my:auth;\ninterface check {}\nworld auth { export check; }"),
        ("wit/worker.wit", "package my:worker;\nworld worker {}"),
        ("wit/more.wit", "interface more {}"),
    ];
    Project::new("wit/api.wit", &files).completes_to(&["api.wit", "deps/my-auth/auth.wit"]);
    Project::new("wit/worker.wit", &files).completes_to(&["worker.wit"]);
}

#[test]
fn path_dependencies_in_every_form() {
    let app = "package demo:app;\nworld app { import my:lib/i@1.0.0; }";
    let lib = "package my:lib@1.0.0;\ninterface i { use my:base/t.{n}; f: func() -> n; }";
    let base = "package my:base;\ninterface t { type n = u8; }";
    let expect = ["deps/my-base/base.wit", "deps/my-lib-1.0.0/lib.wit", "world.wit"];
    let check = |path: &str, files: &[(&str, &str)]| {
        let files = [&[("app/wit/world.wit", app)], files].concat();
        Project::new("app/wit", &files).path("my:lib", path).completes_to(&expect);
    };
    check("lib", &[("lib/lib.wit", lib), ("lib/deps/base.wit", base)]);
    check("lib", &[("lib/wit/lib.wit", lib), ("lib/wit/deps/x/base.wit", base)]);
    let files = [("app/wit/world.wit", app), ("one/lib.wit", lib), ("two/base.wit", base)];
    Project::new("app/wit", &files)
        .path("my:lib", "one/lib.wit")
        .path("my:base", "two")
        .completes_to(&expect);
}

#[test]
fn a_binary_package_becomes_text() {
    let mut resolve = Resolve::new();
    resolve.push_source("base.wit", "package my:base;\ninterface t { type n = u8; }").unwrap();
    let lib =
        "package my:lib@1.0.0;\n/// Docs.\ninterface i { use my:base/t.{n}; f: func() -> n; }";
    let package = resolve.push_source("lib.wit", lib).unwrap();
    let binary = wit_component::encode(&resolve, package, false).unwrap();
    let app = "package demo:app;\nworld app { import my:lib/i@1.0.0; }";
    let expect = ["deps/my-base/package.wit", "deps/my-lib-1.0.0/package.wit", "world.wit"];

    let project = Project::new("wit", &[("wit/world.wit", app)]).path("my:lib", "lib.wasm");
    std::fs::write(project.folder.path().join("lib.wasm"), &binary).unwrap();
    let completed = project.completes_to(&expect);
    assert!(text(&completed, expect[1]).contains("/// Docs."));

    let project =
        Project::new("wit", &[("wit/world.wit", app), ("wit/deps/x.wit", "package x:y;")]);
    std::fs::write(project.folder.path().join("wit/deps/lib.wasm"), &binary).unwrap();
    project.completes_to(&expect);
}

#[test]
fn a_reference_without_a_version_gets_one() {
    let app = "package demo:app;\nworld app {\n  import wasi:io/poll;\n  import wasi:io/error;\n}";
    let check = |project: Project, version: &str| {
        let io = format!("deps/wasi-io-{version}/package.wit");
        let completed = project.completes_to(&[&io, "world.wit"]);
        let expect = app.replace("poll", &format!("poll@{version}"));
        assert_eq!(
            text(&completed, "world.wit"),
            expect.replace("error", &format!("error@{version}"))
        );
    };
    let project = || Project::new("wit", &[("wit/world.wit", app)]);
    check(project(), "0.2.12");
    check(project().version("wasi:io", "0.2.6"), "0.2.6");

    let log = "package demo:app;\nworld app { import wasi:logging/logging; }";
    Project::new("wit", &[("wit/world.wit", log)])
        .version("wasi:logging", "0.1.0")
        .completes_to(&["deps/wasi-logging-0.1.0-draft/package.wit", "world.wit"]);
}

#[test]
fn a_reference_without_a_version_means_what_is_there() {
    let app = "package demo:app@0.3.0;\nworld app { import my:lib/i; }";
    let lib = "package my:lib@1.0.0;\ninterface i {}";
    let newer = "package my:lib@1.10.0;\ninterface i {}";
    let plain = "package my:lib;\ninterface i {}";
    let one = ("wit/deps/a.wit", lib);
    let check = |deps: &[(&str, &str)], expect: &str| {
        let files = [&[("wit/world.wit", app)], deps].concat();
        Project::new("wit", &files).completes_to(&[expect, "world.wit"]);
    };
    check(&[one], "deps/my-lib-1.0.0/a.wit");
    check(&[one, ("wit/deps/b.wit", newer)], "deps/my-lib-1.10.0/b.wit");
    check(&[one, ("wit/deps/c.wit", plain)], "deps/my-lib/c.wit");
}

#[test]
fn a_world_of_another_package_brings_that_package() {
    let api = "package demo:api;\ninterface i {}";
    let project = Project::new("wit", &[("wit/api.wit", api)]).world("wasi:http/proxy@0.2.9");
    let completed = project.complete().unwrap();
    assert!(completed.files.iter().any(|file| file.path == "deps/wasi-http-0.2.9/package.wit"));
    let resolved = resolve(&completed.files).unwrap();
    let world = project.request.world.as_deref();
    crate::wit::select_world(&resolved.resolve, resolved.package, world, "api").unwrap();
}

#[test]
fn a_missing_package() {
    let app = "package demo:app;\n\nworld app {\n  import my:lib/i@1.0.0;\n}";
    Project::new("wit", &[("wit/world.wit", app)]).fails(
        "wit/world.wit:4:10: package `my:lib@1.0.0` was not found",
        Some(
            "put its WIT under wit/deps/, or add it to [dependencies]: `run add my:lib` takes it from a \
             registry, `run add my:lib --path DIR` from a folder",
        ),
    );
    let lib = ("wit/deps/lib.wit", "package my:lib@1.1.0;\ninterface i {}");
    Project::new("wit", &[("wit/world.wit", app), lib]).fails(
        "wit/world.wit:4:10: package `my:lib@1.0.0` was not found",
        Some("there is `my:lib@1.1.0` in wit/deps"),
    );
    let lib = ("wit/deps/lib.wit", "package my:lib@1.0.0;\ninterface i { use my:base/t.{n}; }");
    Project::new("wit", &[("wit/world.wit", app), lib]).fails(
        "wit/deps/lib.wit:2:19: package `my:base` was not found",
        Some(
            "put its WIT under wit/deps/, or add it to [dependencies]: `run add my:base` takes it from a \
             registry, `run add my:base --path DIR` from a folder",
        ),
    );
}

#[test]
fn a_version_that_is_not_built_in() {
    let log = "package demo:app;\nworld app { import wasi:logging/logging@0.1.0; }";
    Project::new("app.wit", &[("app.wit", log)]).fails(
        "app.wit:2:20: package `wasi:logging@0.1.0` was not found",
        Some("there is built-in `wasi:logging` 0.1.0-draft"),
    );
    let log = "package demo:app;\nworld app { import wasi:logging/logging; }";
    Project::new("app.wit", &[("app.wit", log)]).version("wasi:logging", "0.3.0").fails(
        "app.wit:2:20: package `wasi:logging@0.3.0` was not found",
        Some("there is built-in `wasi:logging` 0.1.0-draft"),
    );
    Project::new("app.wit", &[("app.wit", "package demo:app;")]).world("my:lib/w").fails(
        "package `my:lib` was not found",
        Some(
            "put its WIT under deps/, or add it to [dependencies]: `run add my:lib` takes it from a \
             registry, `run add my:lib --path DIR` from a folder",
        ),
    );
}

#[test]
fn sources_that_contradict() {
    let app = ("wit/world.wit", "package demo:app;\nworld app { import my:lib/i; }");
    let lib = "package my:lib;\ninterface i {}";
    Project::new("wit", &[app, ("wit/deps/a.wit", lib), ("wit/deps/b.wit", lib)])
        .fails("package `my:lib` is declared twice: in wit/deps/a.wit and in wit/deps/b.wit", None);
    Project::new("wit", &[app, ("lib/i.wit", lib)])
        .path("my:other", "lib")
        .fails("dependency `my:other` is package `my:lib` in lib/i.wit", None);
}

#[test]
fn sources_that_cannot_be_read() {
    let check = |wit: &str, files: &[(&str, &str)], message: &str| {
        Project::new(wit, files).fails(message, None);
    };
    check("wit", &[], "cannot read wit");
    check("wit", &[("wit/a.txt", "")], "wit holds no .wit file");
    check(
        "a.txt",
        &[("a.txt", "")],
        "a.txt is not a .wit file, a .wasm file or a folder of .wit files",
    );
    check("wit", &[("wit/a.wit", "interface i {}")], "wit/a.wit has no `package` line");
    check("a.wasm", &[("a.wasm", "\0asm\x0d\0\x01\0")], "a.wasm is a component, not a WIT package");
}

#[test]
fn inputs_are_known_without_reading() {
    let project = Project::new(
        "wit/api.wit",
        &[
            ("wit/api.wit", "?"),
            ("wit/auth.wit", "?"),
            ("wit/deps/x/x.wit", "?"),
            ("wit/deps/y.wasm", "?"),
            ("wit/deps/notes.txt", "?"),
            ("wit/.#api.wit", "an editor's lock"),
            ("lib/wit/l.wit", "?"),
        ],
    )
    .path("my:lib", "lib");
    let files = inputs(&project.request).unwrap();
    let expect =
        ["lib/wit/l.wit", "wit/api.wit", "wit/auth.wit", "wit/deps/x/x.wit", "wit/deps/y.wasm"];
    assert_eq!(files, expect.map(PathBuf::from));
}

#[test]
fn invalid_wit_is_refused_with_its_place() {
    let check = |text: &str, message: &str| {
        let project = Project::new("wit", &[("wit/a.wit", text)]);
        let completed = project.complete().unwrap();
        assert_eq!(resolve(&completed.files).unwrap_err().to_string(), message);
    };
    check(
        "package a:b;\ninterface i {\n  f: func(",
        "wit/a.wit:3:11: expected an identifier or string, found eof",
    );
    check(
        "package a:b;\nworld w { import nothing; }",
        "wit/a.wit:2:18: interface or world `nothing` does not exist",
    );
    check(
        "package a:b;\nworld w { import wasi:io/nothing@0.2.4; }",
        "wit/a.wit:2:26: interface 'nothing' not found in package 'wasi:io@0.2.4'",
    );
}

#[test]
fn a_package_without_a_version_may_stand_beside_its_namesake() {
    let own = "package acme:kit@2.0.0;\ninterface new { g: func(); }\n\
               world w { import acme:kit/old; export new; }";
    let old = "package acme:kit;\ninterface old { f: func(); }";
    let files = [("wit/w.wit", own), ("wit/deps/old/old.wit", old)];
    let completed = Project::new("wit", &files).completes_to(&["deps/acme-kit/old.wit", "w.wit"]);
    assert_eq!(text(&completed, "w.wit"), own);
}

#[test]
fn a_world_alone_is_enough() {
    let mut project = Project::new("none", &[]).world("wasi:cli/command@0.2.3");
    project.request.wit = None;
    let completed = project.complete().unwrap();
    assert_eq!(inputs(&project.request).unwrap(), Vec::<PathBuf>::new());
    project.reads_as_a_folder(&completed);
    let resolved = resolve(&completed.files).unwrap();
    let world = crate::wit::select_world(
        &resolved.resolve,
        resolved.package,
        Some("wasi:cli/command@0.2.3"),
        "app",
    );
    assert!(!resolved.resolve.worlds[world.unwrap()].exports.is_empty());
    let mut project = Project::new("none", &[]).world("acme:kit/w");
    project.request.wit = None;
    project.fails(
        "package `acme:kit` was not found",
        Some(
            "add it to [dependencies]: `run add acme:kit` takes it from a registry, `run add \
             acme:kit --path DIR` from a folder",
        ),
    );
    // The link is followed, and the package is found at the link's path. Below `deps/` it would not be found.
    let files = [
        ("kit/kit.wit", "package acme:kit;\nworld w {}"),
        ("wit/deps/kit.wit", "package acme:kit;"),
    ];
    let mut project = Project::new("none", &files).world("acme:kit/w");
    project.request.wit = None;
    assert!(project.complete().is_err());
    project.path("acme:kit", "kit").complete().unwrap();
}

#[test]
fn wit_behind_symlinks_is_read_inside_of_the_project_alone() {
    let app = "package demo:app;\nworld w { import demo:dep/i; }";
    let dep = "package demo:dep;\ninterface i {}";
    let project = Project::new("wit", &[("wit/app.wit", app), ("common/dep/dep.wit", dep)]);
    let link = |to: &str, at: &str| {
        let at = project.folder.path().join(at);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(to, at).unwrap();
    };
    link("../../common/dep", "wit/deps/dep");
    project.completes_to(&["app.wit", "deps/demo-dep/dep.wit"]);
    let away = tempfile::tempdir().unwrap();
    std::fs::write(away.path().join("x.wit"), "package demo:x;").unwrap();
    link(away.path().to_str().unwrap(), "wit/deps/away");
    let error = project.complete().unwrap_err().to_string();
    assert!(error.starts_with("wit/deps/away/x.wit leads to /"), "{error}");
    assert!(error.ends_with("/x.wit, outside of the project"), "{error}");
}

/// Returns a WIT package in binary form.
fn binary(name: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let mut package = None;
    for (path, text) in files {
        package = Some(resolve.push_source(path, text).unwrap());
    }
    assert_eq!(files.last().unwrap().0, name);
    wit_component::encode(&resolve, package.unwrap(), false).unwrap()
}

const GREET: &str = "package demo:greet@1.2.0;
    interface greeter {
        use demo:words/words@0.1.0.{word};
        hello: func() -> word;
        @unstable(feature = louder)
        shout: func() -> word;
    }";

const WORDS: &str = "package demo:words@0.1.0;
    interface words { type word = string; }
    interface more { more: func(); }";

#[test]
fn packages_that_were_fetched_are_found_in_each_form() {
    let wit = [("wit/api.wit", "package a:b; world w { import demo:greet/greeter; }")];
    let greet = binary("greet.wit", &[("words.wit", WORDS), ("greet.wit", GREET)]);
    // What the package brings along of another is enough, and the whole one counts more.
    let project = Project::new("wit/api.wit", &wit);
    let project = project.fetched("demo:greet", "1.2.0", true, &[("package.wasm", &greet)]);
    let expect =
        ["api.wit", "deps/demo-greet-1.2.0/package.wit", "deps/demo-words-0.1.0/package.wit"];
    let completed = project.completes_to(&expect);
    assert!(!completed.files[2].text.contains("more"));
    assert!(completed.files[0].text.contains("demo:greet/greeter@1.2.0"));
    let whole = binary("words.wit", &[("words.wit", WORDS)]);
    let project = project.fetched("demo:words", "0.1.0", false, &[("package.wasm", &whole)]);
    assert!(project.completes_to(&expect).files[2].text.contains("more"));
    // A folder of a repository.
    let files: [(&str, &[u8]); 2] =
        [("greet.wit", GREET.as_bytes()), ("deps/words.wit", WORDS.as_bytes())];
    let project = Project::new("wit/api.wit", &wit).fetched("demo:greet", "1.2.0", true, &files);
    project.completes_to(&[
        "api.wit",
        "deps/demo-greet-1.2.0/greet.wit",
        "deps/demo-words-0.1.0/words.wit",
    ]);
    // Another name than the one in `[dependencies]`.
    let project = Project::new("wit/api.wit", &wit).fetched("demo:hail", "1.2.0", true, &files);
    project.fails(
        "dependency `demo:hail` is package `demo:greet@1.2.0` in demo:hail 1.2.0: greet.wit",
        None,
    );
}

#[test]
fn features_open_their_gates() {
    let wit = [("wit/api.wit", "package a:b; world w { import demo:greet/greeter; }")];
    let greet = binary("greet.wit", &[("words.wit", WORDS), ("greet.wit", GREET)]);
    let fetched = |project: Project| {
        project.fetched("demo:greet", "1.2.0", true, &[("package.wasm", &greet)])
    };
    let functions = |project: &Project| {
        let completed = project.complete().unwrap();
        let resolved = resolve(&completed.files).unwrap().resolve;
        let interfaces = resolved.interfaces.iter();
        let named =
            interfaces.filter(|(_, interface)| interface.name.as_deref() == Some("greeter"));
        named.flat_map(|(_, interface)| interface.functions.keys().cloned()).collect::<Vec<_>>()
    };
    let project = fetched(Project::new("wit/api.wit", &wit));
    assert_eq!(functions(&project), ["hello"]);
    assert_eq!(functions(&project.feature("demo:greet", "louder")), ["hello", "shout"]);
    fetched(Project::new("wit/api.wit", &wit))
        .feature("demo:greet", "quieter")
        .fails("package `demo:greet@1.2.0` has no feature `quieter`; it has louder", None);
}
