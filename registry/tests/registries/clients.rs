//! Other people's clients and servers: what is published here they read, and what they push is fetched here.

use std::fs;
use std::process::Command;

use crate::harness::{
    Program, artifact, at, component, fetch, package, run, shown, version, versions,
};
use registry::Sha256;
use serde_json::{Value, json};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn crane_and_oras_read_what_is_published() {
    let program = Program::docker();
    let registries = at(&program.url());
    let artifact = artifact("one");
    let published =
        registries.publish(&package("demo:greet"), &version("0.1.0"), &artifact).unwrap();
    let (digest, layer) = (published.digest.to_string(), Sha256::of(&artifact.bytes).to_string());
    let reference = published.address.as_str();

    assert_eq!(run("crane", &["digest", reference]).trim(), digest);
    let manifest = parsed(&run("crane", &["manifest", reference]));
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(
        manifest["layers"],
        json!([{
            "mediaType": "application/wasm",
            "digest": layer,
            "size": artifact.bytes.len(),
            "annotations": {"org.opencontainers.image.title": "greet.wasm"},
        }])
    );
    assert_eq!(
        manifest["annotations"],
        json!({
            "org.opencontainers.image.authors": "A. Nobody",
            "org.opencontainers.image.description": "Says hello",
            "org.opencontainers.image.licenses": "Apache-2.0",
            "org.opencontainers.image.revision": "0123456789abcdef",
            "org.opencontainers.image.source": "https://example.com/greet.git",
            "org.opencontainers.image.url": "https://example.com",
            "org.opencontainers.image.version": "0.1.0",
        })
    );
    // crane checks all digests and sizes.
    run("crane", &["validate", "--remote", reference, "--fast"]);

    let described =
        parsed(&run("oras", &["manifest", "fetch", "--plain-http", "--descriptor", reference]));
    assert_eq!(described["digest"], digest);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    run("oras", &["pull", "--plain-http", "--output", &path, reference]);
    assert_eq!(fs::read(folder.path().join("greet.wasm")).unwrap(), artifact.bytes);
    assert_eq!(run("crane", &["ls", &format!("{}/demo/greet", program.host)]), "0.1.0\n");
}

#[test]
fn what_oras_pushes_and_crane_copies_is_fetched() {
    let (program, second) = (Program::docker(), Program::crane());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let (wasm, config) = (file("greet.wasm", &component("theirs")), file("config.json", b"{}"));
    let reference = format!("{}/demo/greet:1.2.3", program.host);
    let config = format!("{config}:application/vnd.wasm.config.v0+json");
    let layer = format!("{wasm}:application/wasm");
    run(
        "oras",
        &[
            "push",
            "--plain-http",
            "--disable-path-validation",
            "--config",
            &config,
            &reference,
            &layer,
        ],
    );
    let fetched = fetch(&at(&program.url()), "demo:greet", "1.2.3").unwrap();
    assert_eq!(fetched.bytes, component("theirs"));
    let digest = run("crane", &["digest", &reference]);
    assert_eq!(fetched.manifest.unwrap().to_string(), digest.trim());

    // A copy in another server is the same package, and what is published there is read back.
    run("crane", &["copy", &reference, &format!("{}/demo/greet:1.2.3", second.host)]);
    let other = at(&second.url());
    let copied = fetch(&other, "demo:greet", "1.2.3").unwrap();
    assert_eq!((copied.bytes, copied.manifest), (fetched.bytes, fetched.manifest));
    other.publish(&package("demo:greet"), &version("1.3.0"), &artifact("ours")).unwrap();
    assert_eq!(versions(&other, "demo:greet"), ["1.2.3", "1.3.0"]);
    let asked = at(&format!("http://{}", second.host));
    assert_eq!(fetch(&asked, "demo:greet", "1.3.0").unwrap().bytes, component("ours"));
}

#[test]
fn images_and_indexes_of_other_clients_are_named_as_what_they_are() {
    let program = Program::docker();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let host = &program.host;
    let check = |number: &str, expect: &str| {
        let error = shown(&fetch(&at(&program.url()), "demo:greet", number).unwrap_err());
        assert_eq!(
            error,
            format!("{host}/demo/greet:{number} is no WebAssembly package: {expect}")
        );
    };
    // A container image, as any container tool makes it.
    let tar = folder.path().join("layer.tar");
    let packed = Command::new("tar").arg("cf").arg(&tar).args(["-C", "/", "etc/hostname"]).status();
    assert!(packed.unwrap().success());
    let reference = format!("{host}/demo/greet:1.0.0");
    run("crane", &["append", "--new_layer", &tar.display().to_string(), "--new_tag", &reference]);
    check("1.0.0", "it is a container image");
    run(
        "crane",
        &[
            "index",
            "append",
            "--manifest",
            &reference,
            "--tag",
            &format!("{host}/demo/greet:2.0.0"),
        ],
    );
    check("2.0.0", "it is an index of several images");

    let config = format!("{}:application/vnd.wasm.config.v0+json", file("config.json", b"{}"));
    let (one, two) = (file("one.wasm", &component("one")), file("two.wasm", &component("two")));
    let push = |number: &str, more: &[&str]| {
        let reference = format!("{host}/demo/greet:{number}");
        let mut arguments = vec!["push", "--plain-http", "--disable-path-validation"];
        arguments.extend(more.iter().take_while(|word| word.starts_with("--config")));
        arguments.push(&reference);
        arguments.extend(more.iter().skip_while(|word| word.starts_with("--config")));
        run("oras", &arguments);
    };
    let config = format!("--config={config}");
    push(
        "3.0.0",
        &[&config, &format!("{one}:application/wasm"), &format!("{two}:application/wasm")],
    );
    check("3.0.0", "it has 2 layers and not one");
    push("4.0.0", &[&config, &format!("{one}:application/octet-stream")]);
    check("4.0.0", "its layer is of the kind `application/octet-stream`, not `application/wasm`");
    push("5.0.0", &[&format!("{one}:application/wasm")]);
    check(
        "5.0.0",
        "its configuration is of the kind `application/vnd.oci.empty.v1+json`, not `application/vnd.wasm.config.v0+json`",
    );
}
