//! Measures what the determinism layer costs: runs componentize-py in the sandbox with the layer and without
//! it.
//!
//! `cargo bench -p run --bench determinism`. The component is the `greeter` of examples/polyglot, and the
//! tool is that of its pinned image. The figures contain no other part of a build.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod measure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cache::{Digest, DigestFunction, DiskStore};
use sandbox::{Cancel, Determinism, Limits, Mount, MountSource, Sandbox, Spec, Status};

/// The top-level names of an image that the sandbox itself makes.
const OWN: [&str; 5] = ["dev", "out", "proc", "sys", "tmp"];

const ENTRY: &str =
    "import sys, componentize_py; sys.argv[0] = 'componentize-py'; componentize_py.script()";

fn main() {
    sandbox::run_spawner_if_asked();
    let folder = tempfile::tempdir().expect("there is room for the component");
    let spec = spec(folder.path());
    let sandbox = Sandbox::start().expect("this machine has namespaces");
    let run = |determinism| {
        let spec = Spec { determinism, ..spec.clone() };
        let outcome = sandbox.run(&spec, &Cancel::new()).expect("it runs");
        let said = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(outcome.status, Status::Exited(0), "{said}");
    };
    measure::compare(
        "componentize-py (greeter)",
        5,
        ("with the determinism layer", || run(Some(Determinism::at(315_532_800)))),
        ("without", || run(None)),
    );
}

/// Returns the specification of the component's compile, and puts its files below `folder`.
fn spec(folder: &Path) -> Spec {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/polyglot");
    let component = example.join("components/greeter");
    let packages = folder.join("site-packages");
    let install = ["-m", "pip", "install", "-q", "--no-deps", "-r"];
    let mut pip = Command::new("python3");
    pip.args(install).arg(component.join("requirements.txt")).arg("--target").arg(&packages);
    assert!(pip.status().expect("python3 with pip is installed").success());
    let out = folder.join("out");
    fs::create_dir(&out).expect("it is ours");
    let read_only = |target: &str, source: &Path| Mount {
        target: target.into(),
        source: MountSource::ReadOnly(source.to_owned()),
    };
    let mut mounts = image_mounts(&image(&example));
    mounts.extend([
        read_only("/src", &component),
        read_only("/packages", &packages),
        Mount { target: "/out".into(), source: MountSource::Writable(out) },
    ]);
    let argv = [
        "/usr/bin/python3",
        "-c",
        ENTRY,
        "-q",
        "-d",
        "/src/wit",
        "-w",
        "greeter",
        "componentize",
        "app",
        "-p",
        ".",
        "-p",
        "/packages",
        "-o",
        "/out/component.wasm",
    ];
    let env = [
        ("PYTHONPATH", "/usr/lib/componentize-py"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PATH", "/no/programs"),
        ("HOME", "/tmp"),
    ];
    Spec {
        argv: argv.map(Into::into).into(),
        env: env.map(|(name, value)| (name.into(), value.into())).into(),
        cwd: "/src".into(),
        mounts,
        limits: Limits::STANDARD,
        view: sandbox::View::STANDARD,
        determinism: None,
        output_cap: 1 << 16,
    }
}

/// Returns the folder with the files of the pinned componentize-py, which a build of the component installs.
fn image(example: &Path) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-home");
    let mut build = Command::new(env!("CARGO_BIN_EXE_run"));
    build.args(["build", "-q", "-p", "greeter"]).current_dir(example).env("RUN_HOME", &home);
    assert!(build.stdin(Stdio::null()).status().expect("the binary starts").success());
    let lock = fs::read_to_string(example.join("run.lock.toml")).expect("there is a lock");
    let lock: toml::Table = lock.parse().expect("the lock is TOML");
    let images = lock["image"].as_array().expect("the lock has images");
    let ours = |image: &&toml::Value| image["toolchain"].as_str() == Some("componentize-py");
    let image = images.iter().find(ours).expect("the lock pins it");
    let tree: Digest = image["tree"].as_str().expect("a digest").parse().expect("a digest");
    let store = DiskStore::open(&home.join("store"), DigestFunction::Blake3).expect("a store");
    store.materialise(&tree).expect("the build has installed it")
}

fn image_mounts(image: &Path) -> Vec<Mount> {
    let entries = fs::read_dir(image).expect("it is a folder").flatten();
    let mount = |entry: fs::DirEntry| {
        let (path, name) = (entry.path(), entry.file_name().into_string().ok()?);
        let source = match fs::read_link(&path) {
            Ok(target) => MountSource::Symlink(target.into()),
            Err(_) => MountSource::ReadOnly(path),
        };
        (!OWN.contains(&name.as_str())).then(|| Mount { target: Path::new("/").join(name), source })
    };
    entries.filter_map(mount).collect()
}
