//! Tests the sources that run clients: wheels through the real pip, from a folder instead of an index, and
//! Rust through a stand-in for rustup.

use std::io::Write as _;
use std::path::Path as FilePath;
use std::process::Command;

use super::*;

const WHEEL: &str = r#"
    [toolchain.tool]
    about = "a tool"
    default = "1.0"
    [[toolchain.tool.recipe]]
    versions = ["1.0"]
    platforms = ["x86_64-linux"]
    [[toolchain.tool.recipe.layer]]
    from.pypi.requirement = "tool=={version}"
    from.pypi.platforms = ["manylinux2014"]
    from.pypi.python = "3.11"
    at = "usr/lib/tool"
"#;

const RUST: &str = r#"
    [toolchain.tool]
    about = "a tool"
    default = "1.95.0"
    [[toolchain.tool.recipe]]
    versions = ["1.95.0"]
    platforms = ["x86_64-linux"]
    [[toolchain.tool.recipe.layer]]
    from.rustup.components = ["rustc"]
    from.rustup.targets = ["wasm32-wasip2"]
"#;

/// Writes an executable script. A child process writes it, because a file that this process has open for
/// writing while another thread starts a program can't be executed.
pub(super) fn script(path: &FilePath, text: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", "printf %s \"$1\" > \"$0\" && chmod +x \"$0\""]).arg(path).arg(text);
    assert!(command.status().unwrap().success());
}

impl Machine {
    /// Returns a machine with a Python whose pip finds wheels in one folder and nowhere else.
    fn with_wheels() -> Self {
        let mut machine = Self::with(WHEEL);
        let (python, wheels) = (machine.path("python"), machine.path("wheels"));
        let text = format!(
            "#!/bin/sh\nexport PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1 PIP_FIND_LINKS={}\n\
             exec python3 \"$@\"\n",
            wheels.display()
        );
        script(&python, &text);
        machine.registries.programs.python = python.into();
        machine
    }

    fn publish_wheel(&self, text: &str) {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let metadata = "Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n";
        let wheel =
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
        for (name, text) in [
            ("tool/__init__.py", text),
            ("tool-1.0.data/scripts/tool", "script"),
            ("tool-1.0.dist-info/METADATA", metadata),
            ("tool-1.0.dist-info/WHEEL", wheel),
            ("tool-1.0.dist-info/RECORD", ""),
        ] {
            writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        let bytes = writer.finish().unwrap().into_inner();
        self.write("wheels/tool-1.0-py3-none-any.whl", &bytes);
    }

    /// Returns a machine with a rustup whose own folder is `home`, and which installs the release in `fresh`.
    fn with_rustup() -> Self {
        let mut machine = Self::with(RUST);
        let rustup = machine.path("rustup");
        let text = r#"#!/bin/sh
case "$1" in
show) echo "[FOLDER]/home" ;;
toolchain)
    echo "$@" >> "[FOLDER]/log"
    mkdir -p "$RUSTUP_HOME/toolchains"
    cp -r "[FOLDER]/fresh" "$RUSTUP_HOME/toolchains/$3" ;;
esac
"#;
        script(&rustup, &text.replace("[FOLDER]", &machine.folder.path().display().to_string()));
        machine.registries.programs.rustup = rustup.into();
        machine
    }

    /// Writes a release into a folder, with the files that rustup writes for itself.
    fn install_release(&self, folder: &str, rustc: &str, own: &str) {
        let write =
            |name: &str, text: &str| self.write(&format!("{folder}/{name}"), text.as_bytes());
        let channel = "[pkg.rust]\nversion = \"1.95.0 (abc 2026-04-14)\"\n\
             [pkg.rustc]\nversion = \"1\"\n[pkg.rustc.target.x86_64-unknown-linux-gnu]\n\
             xz_url = \"https://host/rustc-1.95.0.tar.xz\"\nxz_hash = \"8426a3d170a5879f5682f5fbdd024a1779b3951e7baba685af2d6dc32a6dfc15\"\n\
             [pkg.rust-std]\nversion = \"1\"\n[pkg.rust-std.target.wasm32-wasip2]\n\
             xz_url = \"https://host/rust-std.tar.xz\"\nxz_hash = \"68146eb4c887431379966efa21d75dc957f18bd1166239c1deaa53fe38cb9ab4\"\n";
        write("lib/rustlib/multirust-channel-manifest.toml", channel);
        write("lib/rustlib/components", own);
        write("lib/rustlib/manifest-rustc-x86_64-unknown-linux-gnu", "file:bin/rustc\n");
        write("lib/rustlib/manifest-rust-std-wasm32-wasip2", "file:lib/libstd.rlib\n");
        write("bin/rustc", rustc);
        write("lib/libstd.rlib", "std");
    }

    fn fresh_installs(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

const HOME: &str = "home/toolchains/1.95.0-x86_64-unknown-linux-gnu";

#[test]
fn a_wheel_comes_through_pip() {
    let machine = Machine::with_wheels();
    machine.publish_wheel("text");
    let lock = machine.sync(&machine.store("store", DigestFunction::Blake3), &Log::default());
    let lock = lock.expect("this test needs Python 3 with pip (Debian: python3-pip)");
    assert_eq!(lock.packages[0].purl.as_str(), "pkg:pypi/tool@1.0");
    assert_eq!(lock.packages[0].file.as_deref(), Some("tool-1.0-py3-none-any.whl"));
    let other = machine.store("other", DigestFunction::Blake3);
    let tree = machine.install(&other, &lock).unwrap();
    let lines = listing(&other, &tree);
    assert!(lines.contains(&"usr/lib/tool/bin/tool: script".to_owned()), "{lines:?}");
    assert!(lines.contains(&"usr/lib/tool/tool/__init__.py: text".to_owned()), "{lines:?}");

    machine.publish_wheel("another");
    let error =
        machine.install(&machine.store("third", DigestFunction::Blake3), &lock).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    let actual = fs::read(machine.path("wheels/tool-1.0-py3-none-any.whl")).unwrap();
    let actual = Digest::of(DigestFunction::Sha256, &actual).hex();
    assert!(error.to_string().ends_with(&format!("got sha256:{actual}")), "{error}");
}

#[test]
fn no_client_sees_a_token_of_ours() {
    let mut machine = Machine::with_wheels();
    let python = machine.path("python");
    script(&python, &format!("#!/bin/sh\nenv > {}\nexit 1\n", machine.path("seen").display()));
    for (name, value) in [("RUN_AUTH_TOKEN", "s3cr3t"), ("PIP_TIMEOUT", "pip's own")] {
        machine.registries.variables.insert(name.into(), value.into());
    }
    machine.sync(&machine.store("store", DigestFunction::Blake3), &Log::default()).unwrap_err();
    let seen = fs::read_to_string(machine.path("seen")).unwrap();
    assert!(seen.contains("PIP_TIMEOUT=pip's own") && !seen.contains("s3cr3t"), "{seen}");
}

#[test]
fn pip_or_the_wheel_may_be_missing() {
    let mut machine = Machine::with_wheels();
    let store = machine.store("store", DigestFunction::Blake3);
    let error = machine.sync(&store, &Log::default()).unwrap_err().to_string();
    assert!(error.contains("No matching distribution found for tool==1.0"), "{error}");
    machine.registries.programs.python = "no-such-python".into();
    let error = machine.sync(&store, &Log::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "`no-such-python` is not installed; install Python with pip (Debian: python3-pip)"
    );
    machine.registries.network.offline = true;
    let error = machine.sync(&store, &Log::default()).unwrap_err().to_string();
    assert_eq!(error, "cannot fetch tool==1.0: the network is switched off");
}

#[test]
fn an_installed_release_gives_the_same_lock_as_a_fresh_one() {
    let machine = Machine::with_rustup();
    machine.install_release("fresh", "rustc", "minimal");
    let fresh = machine.sync(&machine.store("store", DigestFunction::Blake3), &Log::default());
    let fresh = fresh.unwrap();
    assert_eq!(
        machine.fresh_installs(),
        "toolchain install 1.95.0-x86_64-unknown-linux-gnu --profile minimal --no-self-update \
         --target wasm32-wasip2\n"
    );
    fs::remove_file(machine.lockfile()).unwrap();
    machine.install_release(HOME, "rustc", "complete");
    machine.write(&format!("{HOME}/bin/clippy"), b"not a file of a component that is asked for");
    let other = machine.store("other", DigestFunction::Blake3);
    assert_eq!(machine.sync(&other, &Log::default()).unwrap(), fresh);
    assert_eq!(machine.fresh_installs().lines().count(), 1);
    let expect = ["bin/rustc: rustc", "lib/libstd.rlib: std"];
    assert_eq!(listing(&other, &fresh.images[0].tree), expect);
}

#[test]
fn a_changed_installation_is_passed_over() {
    let machine = Machine::with_rustup();
    machine.install_release("fresh", "rustc", "");
    let lock = machine.sync(&machine.store("store", DigestFunction::Blake3), &Log::default());
    let lock = lock.unwrap();
    machine.install_release(HOME, "patched", "");
    let other = machine.store("other", DigestFunction::Blake3);
    assert_eq!(machine.install(&other, &lock).unwrap(), lock.images[0].tree);
    assert_eq!(machine.fresh_installs().lines().count(), 2);

    machine.install_release("fresh", "patched", "");
    let error =
        machine.install(&machine.store("third", DigestFunction::Blake3), &lock).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
}

#[test]
fn rust_is_not_installed_offline() {
    let mut machine = Machine::with_rustup();
    machine.registries.network.offline = true;
    let store = machine.store("store", DigestFunction::Blake3);
    let error = machine.sync(&store, &Log::default()).unwrap_err().to_string();
    assert_eq!(error, "Rust 1.95.0 is not installed as needed, and the network is switched off");
    machine.install_release(HOME, "rustc", "");
    machine.sync(&store, &Log::default()).unwrap();
}
