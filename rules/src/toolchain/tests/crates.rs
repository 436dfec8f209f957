//! Tests crates through the real cargo, from a registry on the loopback interface.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use super::*;

const CATALOGUE: &str = r#"
    [toolchain.tool]
    about = "a tool"
    default = "1.2.0"
    [[toolchain.tool.recipe]]
    versions = ["1.2.0"]
    platforms = ["x86_64-linux"]
    [[toolchain.tool.recipe.layer]]
    from.crates.package = "tool-gen"
    from.crates.version = "{version}"
    at = "opt/tool"
    rename = { "src/pkg" = "pkg" }
    exclude = ["opt/tool/src/**", "opt/tool/Cargo.*"]
"#;

/// Answers requests for files of `folder`, and records their paths in `folder/log`. Returns the URL.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let folder = folder.clone();
            std::thread::spawn(move || answer(stream.unwrap(), &folder));
        }
    });
    url
}

fn answer(mut stream: TcpStream, folder: &std::path::Path) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let request = lines.next().and_then(Result::ok).unwrap_or_default();
    while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
    let mut log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    writeln!(log, "{path}").unwrap();
    let (status, body) = match fs::read(folder.join(&path)) {
        Ok(body) => (200, body),
        Err(_) => (404, Vec::new()),
    };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    let _ = stream.write_all(&body);
}

impl Machine {
    /// Returns a machine whose cargo takes all crates from a test registry.
    fn with_crates() -> Self {
        let mut machine = Self::with(CATALOGUE);
        let url = serve(machine.path("registry"));
        machine.write("registry/config.json", format!("{{\"dl\":\"{url}/dl\"}}").as_bytes());
        machine.write(
            "cargo/config.toml",
            format!(
                "[source.crates-io]\nreplace-with = \"own\"\n\
                 [source.own]\nregistry = \"sparse+{url}/\"\n"
            )
            .as_bytes(),
        );
        let home = machine.path("cargo").into_os_string();
        machine.registries.variables.insert("CARGO_HOME".into(), home);
        machine
    }

    /// Publishes the tool, which depends on a crate that can't be downloaded, and returns its SHA-256.
    fn publish_crate(&self, text: &str) -> String {
        let manifest = "[package]\nname = \"tool-gen\"\nversion = \"1.2.0\"\nedition = \"2021\"\n\
                        [[bin]]\nname = \"tool\"\npath = \"src/main.rs\"\n\
                        [dependencies]\nother = \"1\"\n";
        let bytes = gzip(&tape_of(&[
            ("tool-gen-1.2.0/Cargo.toml", 0o644, manifest.as_bytes()),
            ("tool-gen-1.2.0/src/main.rs", 0o644, b"fn main() {}"),
            ("tool-gen-1.2.0/src/pkg/run.go", 0o644, text.as_bytes()),
        ]));
        let sha256 = Digest::of(DigestFunction::Sha256, &bytes).hex();
        self.write("registry/dl/tool-gen/1.2.0/download", &bytes);
        let entry = |name: &str, version: &str, deps: &str, sum: &str| {
            format!(
                "{{\"name\":\"{name}\",\"vers\":\"{version}\",\"deps\":[{deps}],\
                 \"cksum\":\"{sum}\",\"features\":{{}},\"yanked\":false}}\n"
            )
        };
        let other = "{\"name\":\"other\",\"req\":\"^1\",\"features\":[],\"optional\":false,\
                     \"default_features\":true,\"target\":null,\"kind\":\"normal\"}";
        let tool = entry("tool-gen", "1.2.0", other, &sha256);
        self.write("registry/to/ol/tool-gen", tool.as_bytes());
        self.write("registry/ot/he/other", entry("other", "1.0.0", "", &sha256).as_bytes());
        sha256
    }

    fn forget_downloads(&self) {
        fs::remove_dir_all(self.path("cargo/registry")).unwrap();
    }

    fn downloads(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("registry/log")).unwrap();
        log.lines().filter(|path| path.starts_with("dl/")).map(ToOwned::to_owned).collect()
    }
}

const FILES: [&str; 1] = ["opt/tool/pkg/run.go: package run"];

#[test]
fn a_crate_comes_through_cargo_without_what_it_depends_on() {
    let machine = Machine::with_crates();
    let sha256 = machine.publish_crate("package run");
    let store = machine.store("store", DigestFunction::Blake3);
    let lock = machine.sync(&store, &Log::default()).expect("this test needs cargo");
    let package = &lock.packages[0];
    assert_eq!(package.purl.as_str(), "pkg:cargo/tool-gen@1.2.0");
    assert_eq!(package.file.as_deref(), Some("tool-gen-1.2.0.crate"));
    assert_eq!(package.checksum().to_string(), format!("sha256:{sha256}"));
    assert_eq!(listing(&store, &lock.images[0].tree), FILES);
    assert_eq!(machine.downloads(), ["dl/tool-gen/1.2.0/download"]);
    let text = fs::read_to_string(machine.lockfile()).unwrap();
    assert!(text.contains("source = \"crates\"\nfrom = \"tool-gen@1.2.0\"\n"), "{text}");

    machine.forget_downloads();
    let other = machine.store("other", DigestFunction::Sha256);
    let tree = machine.install(&other, &lock).unwrap();
    assert_eq!(listing(&other, &tree), FILES);
    assert_eq!(machine.downloads().len(), 2);
}

#[test]
fn what_cargo_has_serves_offline() {
    let mut machine = Machine::with_crates();
    machine.publish_crate("package run");
    let lock = machine.sync(&machine.store("store", DigestFunction::Blake3), &Log::default());
    let lock = lock.unwrap();
    machine.registries.network.offline = true;
    machine.install(&machine.store("other", DigestFunction::Blake3), &lock).unwrap();
    machine.forget_downloads();
    let third = machine.store("third", DigestFunction::Blake3);
    let error = machine.install(&third, &lock).unwrap_err().to_string();
    assert_eq!(error, "cannot fetch tool-gen@1.2.0: the network is switched off");
}

#[test]
fn a_crate_with_other_bytes_is_refused() {
    let machine = Machine::with_crates();
    let pinned = machine.publish_crate("package run");
    let lock = machine.sync(&machine.store("store", DigestFunction::Blake3), &Log::default());
    let lock = lock.unwrap();
    machine.forget_downloads();
    let actual = machine.publish_crate("package other");
    let error = machine.install(&machine.store("other", DigestFunction::Blake3), &lock);
    let error = error.unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    assert!(error.to_string().contains(&pinned) && error.to_string().contains(&actual), "{error}");

    // The index has the checksum of the first archive again, but cargo's cache still has the other one.
    fs::remove_file(machine.lockfile()).unwrap();
    machine.publish_crate("package run");
    let error = machine.sync(&machine.store("third", DigestFunction::Blake3), &Log::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains(&pinned) && error.contains(&actual), "{error}");
}

#[test]
fn cargo_or_the_crate_may_be_missing() {
    let mut machine = Machine::with_crates();
    let store = machine.store("store", DigestFunction::Blake3);
    let error = machine.sync(&store, &Log::default()).unwrap_err().to_string();
    assert!(error.contains("no matching package named `tool-gen` found"), "{error}");
    machine.registries.programs.cargo = "no-such-cargo".into();
    let error = machine.sync(&store, &Log::default()).unwrap_err().to_string();
    assert_eq!(error, "`no-such-cargo` is not installed; install Rust 1.82 or later with rustup");
}

#[test]
fn cargo_sees_no_token_of_ours() {
    let mut machine = Machine::with_crates();
    let cargo = machine.path("cargo.sh");
    let text = format!("#!/bin/sh\nenv > {}\nexit 1\n", machine.path("seen").display());
    super::clients::script(&cargo, &text);
    machine.registries.programs.cargo = cargo.into();
    for (name, value) in [("RUN_AUTH_TOKEN", "s3cr3t"), ("CARGO_REGISTRY_TOKEN", "cargo's own")] {
        machine.registries.variables.insert(name.into(), value.into());
    }
    machine.sync(&machine.store("store", DigestFunction::Blake3), &Log::default()).unwrap_err();
    let seen = fs::read_to_string(machine.path("seen")).unwrap();
    assert!(seen.contains("CARGO_REGISTRY_TOKEN=cargo's own"), "{seen}");
    assert!(!seen.contains("s3cr3t"), "{seen}");
}
