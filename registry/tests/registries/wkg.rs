//! The client library of wkg: what it publishes is fetched here, and the other way round.
//!
//! Building it takes four minutes of two processors, because it needs 280 crates of its own. So this test runs only if it is
//! asked for: `cargo test -p registry --test registries -- --ignored`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use registry::Settings;

use crate::harness::{
    Program, artifact, at, fetch, package, registries, settings, version, versions,
};

/// Builds the program around the library, and returns its path.
fn client() -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/wkg");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wkg");
    let built = Command::new("cargo")
        .args(["build", "--locked", "--target-dir"])
        .arg(&target)
        .current_dir(sources)
        // A wrapper around the compiler of the workspace is not for this program.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug/wkg-client")
}

fn run(client: &Path, arguments: &[&str]) -> String {
    let output = Command::new(client).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "building the client library of wkg takes four minutes"]
fn wkg_and_this_crate_read_what_the_other_publishes() {
    let client = client();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    run(&client, &["package", &path("greet.wasm")]);
    let bytes = fs::read(path("greet.wasm")).unwrap();

    let (program, local) = (Program::docker(), folder.path().join("local"));
    fs::create_dir(&local).unwrap();
    let host = &program.host;
    let oci = format!(
        "default_registry = \"{host}\"\n[registry.\"{host}\"]\ntype = \"oci\"\n[registry.\"{host}\".oci]\nprotocol = \"http\"\n"
    );
    let folders = format!(
        "default_registry = \"local\"\n[registry.local]\ntype = \"local\"\n[registry.local.local]\nroot = \"{}\"\n",
        local.display()
    );
    for (config, address) in
        [(oci, program.url()), (folders, format!("file://{}", local.display()))]
    {
        fs::write(path("config.toml"), &config).unwrap();
        let config_file = path("config.toml");
        // From there to here.
        assert_eq!(
            run(&client, &["publish", &config_file, &path("greet.wasm")]),
            "demo:greet@0.1.0\n"
        );
        let ours = at(&address);
        let fetched = fetch(&ours, "demo:greet", "0.1.0").unwrap();
        assert_eq!(fetched.bytes, bytes);
        // From here to there.
        let mut next = artifact("");
        next.bytes.clone_from(&bytes);
        ours.publish(&package("demo:greet"), &version("0.1.1"), &next).unwrap();
        let listed = run(&client, &["list", &config_file, "demo:greet"]);
        let mut listed: Vec<_> = listed.lines().collect();
        listed.sort_unstable();
        assert_eq!(listed, ["0.1.0", "0.1.1"]);
        let digest =
            run(&client, &["fetch", &config_file, "demo:greet", "0.1.1", &path("out.wasm")]);
        assert_eq!(digest.trim(), fetched.sha256.to_string());
        assert_eq!(fs::read(path("out.wasm")).unwrap(), bytes);
        // The same configuration leads both to the same registry.
        let wkg = registry::WkgSettings::parse(&config).unwrap();
        let mut through_wkg: Settings = settings("file:///nowhere");
        through_wkg.default = wkg.default.clone().unwrap().into();
        wkg.add_to(&mut through_wkg, "wkg's configuration");
        assert_eq!(versions(&registries(through_wkg), "demo:greet"), ["0.1.0", "0.1.1"]);
    }
}
