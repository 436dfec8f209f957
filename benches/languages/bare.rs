//! Builds the same component with its language's own tool, in a copy of the sources with bindings and
//! packages in place. The tool's caches are kept between builds. If a tool makes a core module, the component
//! is encoded by the library that `run` also uses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cache::{Digest, DigestFunction, DiskStore};
use rules::wasm::componentize;
use rules::wit::{self, Request, ResolvedWit};
use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_bindgen_core::{Files, WorldGenerator};

/// A prepared copy of one component.
pub(crate) struct Bare {
    /// The step that makes a component of a core module, if the tool makes a core module.
    last: Option<Encode>,
    /// The copy of the project.
    folder: tempfile::TempDir,
    /// The folders of the tool's caches.
    caches: Vec<PathBuf>,
    steps: Vec<Command>,
}

/// The step after a tool that makes core modules. It does the same as `wasm-tools component new`, in this
/// process.
struct Encode {
    module: PathBuf,
    resolve: Resolve,
    world: WorldId,
}

/// The values from which the steps are made.
struct Place {
    /// The copy of the project.
    project: PathBuf,
    /// The component's folder in it.
    component: PathBuf,
    name: &'static str,
    store: DiskStore,
    lock: toml::Table,
}

impl Bare {
    pub(crate) fn prepare(
        language: &str,
        component: &'static str,
        project: &Path,
        home: &Path,
    ) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a copy");
        super::copy(project, folder.path());
        let lock = fs::read_to_string(project.join("run.lock.toml")).expect("there is a lock");
        let place = Place {
            project: folder.path().to_owned(),
            component: folder.path().join("components").join(component),
            name: component,
            store: DiskStore::open(&home.join("store"), DigestFunction::Blake3).expect("a store"),
            lock: lock.parse().expect("the lock is TOML"),
        };
        let cache = folder.path().join("cache");
        let last = ["go", "zig", "c"].contains(&language).then(|| place.encode());
        let steps = match language {
            "rust" => {
                place.replace_wit();
                vec![place.rust(&cache)]
            }
            "python" => vec![place.python()],
            "go" => vec![place.go(&cache)],
            "javascript" => place.javascript("app.js", &["all"]),
            "typescript" => place.javascript("src/app.ts", &["random", "clocks", "fetch-event"]),
            "zig" => vec![place.zig(&cache)],
            _ => vec![place.c(&cache)],
        };
        Self { last, folder, caches: vec![cache], steps }
    }

    pub(crate) fn project(&self) -> &Path {
        self.folder.path()
    }

    /// Builds with the present caches.
    pub(crate) fn build(&self) {
        for step in &self.steps {
            let mut command = Command::new(step.get_program());
            command.args(step.get_args()).stdin(Stdio::null()).stdout(Stdio::null());
            command.current_dir(step.get_current_dir().expect("every step has one"));
            // The variables that the running cargo sets would lead rustc to cargo's own libraries.
            for name in ["LD_LIBRARY_PATH", "RUSTUP_TOOLCHAIN", "RUST_BACKTRACE"] {
                command.env_remove(name);
            }
            for (name, value) in step.get_envs() {
                command.env(name, value.unwrap_or_default());
            }
            let output = command.output().unwrap_or_else(|error| panic!("{step:?}: {error}"));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{step:?}:\n{said}");
        }
        if let Some(Encode { module, resolve, world }) = &self.last {
            let bytes = fs::read(module).expect("the tool has left a module");
            let component = componentize(&bytes, resolve, *world, None).expect("it fits");
            fs::write(module.with_file_name("component.wasm"), component).expect("it is ours");
        }
    }

    /// Builds without caches and results of earlier builds.
    pub(crate) fn cold(&self) {
        self.caches.iter().for_each(|folder| super::remove(folder));
        self.build();
    }
}

impl Place {
    /// Returns the folder with the files of a toolchain's image.
    fn image(&self, toolchain: &str) -> PathBuf {
        let images = self.lock["image"].as_array().expect("the lock has images");
        let ours = |image: &&toml::Value| image["toolchain"].as_str() == Some(toolchain);
        let image = images.iter().find(ours).unwrap_or_else(|| panic!("no image of {toolchain}"));
        let tree: Digest = image["tree"].as_str().expect("a digest").parse().expect("a digest");
        self.store.materialise(&tree).expect("the first build has installed it")
    }

    /// Completes the WIT folder, writes it to `wit-complete` in the component, and returns it parsed.
    fn wit(&self) -> ResolvedWit {
        let request = Request {
            root: self.component.clone(),
            wit: Some(PathBuf::from("wit")),
            ..Request::default()
        };
        let files = wit::complete(&request, self.store.content())
            .expect("the example's WIT is complete")
            .files;
        for file in &files {
            self.write(&format!("wit-complete/{}", file.path), file.text.as_bytes());
        }
        wit::resolve(&files).expect("the example's WIT parses")
    }

    /// Puts the completed WIT in the place of the component's own, where its macro looks.
    fn replace_wit(&self) {
        self.wit();
        let (complete, own) = (self.component.join("wit-complete"), self.component.join("wit"));
        fs::remove_dir_all(&own).expect("it is ours");
        fs::rename(complete, own).expect("it is ours");
    }

    /// Generates bindings into a folder of the component, or into the component's own folder if `folder` is
    /// empty.
    fn bindings(&self, folder: &str, mut generator: Box<dyn WorldGenerator>) {
        let ResolvedWit { mut resolve, package } = self.wit();
        let world = wit::select_world(&resolve, package, None, self.name).expect("it has a world");
        let mut files = Files::default();
        generator.generate(&mut resolve, world, &mut files).expect("the world has bindings");
        files.iter().for_each(|(path, bytes)| self.write(&format!("{folder}/{path}"), bytes));
    }

    fn encode(&self) -> Encode {
        let ResolvedWit { resolve, package } = self.wit();
        let world = wit::select_world(&resolve, package, None, self.name).expect("it has a world");
        Encode { module: self.component.join("core.wasm"), resolve, world }
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.component.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().expect("it is below a folder")).expect("it is ours");
        fs::write(path, bytes).expect("it is ours");
    }

    /// Makes a command that runs in the component's folder.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.component);
        command
    }

    fn rust(&self, cache: &Path) -> Command {
        let bin = self.image("rust").join("usr/lib/rust/bin");
        let mut command = self.command(
            bin.join("cargo"),
            &[
                "build",
                "--quiet",
                "--release",
                "--locked",
                "--target=wasm32-wasip2",
                "-p",
                self.name,
            ],
        );
        command.env("CARGO_TARGET_DIR", cache).env("RUSTC", bin.join("rustc"));
        command
    }

    fn python(&self) -> Command {
        let packages = self.component.join("site-packages");
        let install =
            ["-m", "pip", "install", "-q", "--no-deps", "-r", "requirements.txt", "--target"];
        let pip = self.command("python3", &install).arg(&packages).status();
        assert!(pip.expect("python3 with pip is installed").success());
        let entry = "import sys, componentize_py; sys.argv[0] = 'componentize-py'; \
                     componentize_py.script()";
        let mut command = self.command(
            "python3",
            &["-c", entry, "-q", "-d", "wit", "-w", self.name, "componentize", "app", "-p", "."],
        );
        command.args(["-p", "site-packages", "-o", "component.wasm"]);
        command.env("PYTHONPATH", self.image("componentize-py").join("usr/lib/componentize-py"));
        command
    }

    fn go(&self, cache: &Path) -> Command {
        let image = self.image("go");
        let options = wit_bindgen_go::Opts {
            format: wit_bindgen_go::Format::False,
            pkg_name: Some("example.com/shop".to_owned()),
            quiet: true,
            ..Default::default()
        };
        self.bindings("", options.build());
        let module = fs::read_to_string(self.component.join("go.mod")).expect("it has a go.mod");
        let runtime = "go.bytecodealliance.org/pkg";
        let place = image.join("usr/lib/go-pkg");
        self.write(
            "go.mod",
            format!(
                "{module}\nrequire {runtime} v0.4.0\nreplace {runtime} => {}\n",
                place.display()
            )
            .as_bytes(),
        );
        let mut command = self.command(
            image.join("usr/lib/go/bin/go"),
            &["build", "-buildmode=c-shared", "-ldflags=-s -w -buildid= -checklinkname=0", "-o"],
        );
        command.args(["core.wasm", "."]).env("GOROOT", image.join("usr/lib/go"));
        for (name, value) in [
            ("GOOS", "wasip1"),
            ("GOARCH", "wasm"),
            ("CGO_ENABLED", "0"),
            ("GOFLAGS", "-trimpath -buildvcs=false -mod=mod"),
            ("GOPROXY", "off"),
            ("GOSUMDB", "off"),
            ("GOTOOLCHAIN", "local"),
            ("GOENV", "off"),
            ("GOTELEMETRY", "off"),
        ] {
            command.env(name, value);
        }
        command.env("GOCACHE", cache).env("GOPATH", self.project.join("gopath"));
        command
    }

    /// Returns the commands of esbuild and then jco. Features for which the world has no interface are
    /// switched off.
    fn javascript(&self, source: &str, without: &[&str]) -> Vec<Command> {
        self.wit();
        let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        let npm = self.command("npm", &install).status();
        assert!(npm.expect("npm is installed").success());
        let bundle = self.command(
            self.image("esbuild").join("usr/bin/esbuild"),
            &[
                source,
                "--bundle",
                "--format=esm",
                "--platform=neutral",
                "--main-fields=module,main",
                "--target=es2022",
                "--external:wasi:*",
                "--log-level=warning",
                "--outfile=bundle.js",
            ],
        );
        let jco = self.image("jco");
        let script = jco.join("usr/lib/jco/node_modules/@bytecodealliance/jco/dist/jco.js");
        let mut componentize = self.command(jco.join("usr/bin/node"), &[]);
        componentize.arg(script).args(["componentize", "bundle.js", "--wit", "wit-complete"]);
        componentize.args(["-n", self.name, "-o", "component.wasm"]);
        without.iter().for_each(|feature| {
            componentize.args(["-d", feature]);
        });
        vec![bundle, componentize]
    }

    fn zig(&self, cache: &Path) -> Command {
        self.bindings("bindings", wit_bindgen_c::Opts::default().build());
        let zig = self.image("zig").join("usr/lib/zig/zig");
        let translate =
            ["translate-c", "-lc", "-target", "wasm32-wasi", "-Ibindings", "bindings/checksum.h"];
        let output = cached(self.command(&zig, &translate), cache).output().expect("zig runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.write("bindings.zig", &output.stdout);
        let build = self.command(
            &zig,
            &[
                "build-exe",
                "-target",
                "wasm32-wasi",
                "-mexec-model=reactor",
                "-fno-entry",
                "-rdynamic",
                "-lc",
                "-O",
                "small",
                "-fstrip",
                "-Ibindings",
                "-femit-bin=core.wasm",
                "-cflags",
                "-Os",
                "--",
                "bindings/checksum.c",
                "bindings/checksum_component_type.o",
                "--dep",
                "bindings",
                "-Mroot=checksum.zig",
                "-Mbindings=bindings.zig",
            ],
        );
        cached(build, cache)
    }

    fn c(&self, cache: &Path) -> Command {
        self.bindings("bindings", wit_bindgen_c::Opts::default().build());
        let zig = self.image("zig").join("usr/lib/zig/zig");
        let build = self.command(
            zig,
            &[
                "cc",
                "-target",
                "wasm32-wasi",
                "-mexec-model=reactor",
                "-Os",
                "-Wall",
                "-Wextra",
                "-Ibindings",
                "-o",
                "core.wasm",
                "sort.c",
                "bindings/sort.c",
                "bindings/sort_component_type.o",
            ],
        );
        cached(build, cache)
    }
}

fn cached(mut command: Command, cache: &Path) -> Command {
    command.env("ZIG_GLOBAL_CACHE_DIR", cache).env("ZIG_LOCAL_CACHE_DIR", cache);
    command
}
