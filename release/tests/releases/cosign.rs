//! cosign reads what we sign, in files and in registries, and we read what cosign signs.
//!
//! These tests are ignored, because cosign takes minutes to compile: `release/tests/cosign` installs it and runs them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use release::Sha256;
use release::bundle::Bundle;
use release::keys::{PrivateKey, PublicKey};
use release::policy::Policy;
use release::referrer::{self, Descriptor, INDEX, MANIFEST, Referrer};
use release::statement::{PROVENANCE, Subject};
use release::trust::TrustedKey;
use release::verify;

use crate::sample::{CI, Demands, REBUILDER, STRANGER, Sample, attestation, trusted};

/// A folder with an unpacked release, and cosign.
struct Cosign {
    folder: tempfile::TempDir,
}

/// Returns a program that `release/tests/cosign` has installed.
fn program(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cosign").join(name);
    assert!(program.is_file(), "run release/tests/cosign, which installs {}", program.display());
    program
}

impl Cosign {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in crate::mutants::raw::Raw::of(&Sample::new("1.2.0").archive()).files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let cosign = Self { folder };
        cosign.write("ci.pub", CI.public().to_pem());
        cosign.write("rebuilder.pub", REBUILDER.public().to_pem());
        cosign.write("stranger.pub", STRANGER.public().to_pem());
        cosign
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(path), bytes).unwrap();
    }

    fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(path)).unwrap()
    }

    /// Runs cosign with a home of its own. Returns whether it succeeded, and what it printed.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(program("cosign"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("COSIGN_PASSWORD", "")
            .env("COSIGN_YES", "true")
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    fn succeeds(&self, arguments: &[&str]) {
        let (is_success, text) = self.run(arguments);
        assert!(is_success, "cosign {arguments:?}: {text}");
    }

    /// Asks cosign to check an attestation of a file.
    fn verifies(&self, key: &str, bundle: &str, kind: &str, file: &str) -> (bool, String) {
        self.run(&[
            "verify-blob-attestation",
            "--key",
            key,
            "--bundle",
            bundle,
            "--type",
            kind,
            "--insecure-ignore-tlog=true",
            file,
        ])
    }
}

#[test]
#[ignore = "cosign takes minutes to compile: run release/tests/cosign"]
fn cosign_accepts_what_we_sign_and_refuses_what_was_changed() {
    let cosign = Cosign::new();
    for (key, name) in [(&*CI, "ci.pub"), (&*REBUILDER, "rebuilder.pub")] {
        for file in ["components/api.wasm", "components/worker.wasm", "sbom/api.cdx.json"] {
            let (accepted, text) =
                cosign.verifies(name, &attestation(key), "slsaprovenance1", file);
            assert!(accepted, "{name} {file}: {text}");
        }
    }
    let good = String::from_utf8(cosign.read(&attestation(&CI))).unwrap();
    let statement = String::from_utf8(Sample::new("1.2.0").json()).unwrap();
    let forged = statement.replace("https://ci.example/builder", "https://evil.example/builder");
    let encode = |bytes: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let forged = good.replace(&encode(&statement), &encode(&forged));
    assert_ne!(forged, good);
    let old = Bundle::sign(&Sample::new("1.1.0").json(), &CI).to_json();
    let api = "components/api.wasm";
    cosign.write("forged.json", &forged);
    cosign.write("type.json", good.replace("in-toto+json", "other+json"));
    cosign.write("cut.json", &good[..good.len() - 3]);
    cosign.write("unsigned.json", good.replace("\"sig\":\"", "\"sig\":\"AAAA"));
    cosign.write("old.json", old);
    cosign.write("components/evil.wasm", b"\0asm evil");
    let ours = attestation(&CI);
    for (why, key, bundle, kind, file) in [
        ("another file", "ci.pub", ours.as_str(), "slsaprovenance1", "components/evil.wasm"),
        ("another key", "stranger.pub", &ours, "slsaprovenance1", api),
        ("another type", "ci.pub", &ours, "spdxjson", api),
        ("a changed statement", "ci.pub", "forged.json", "slsaprovenance1", api),
        ("a changed payload type", "ci.pub", "type.json", "slsaprovenance1", api),
        ("a bundle that is cut off", "ci.pub", "cut.json", "slsaprovenance1", api),
        ("a changed signature", "ci.pub", "unsigned.json", "slsaprovenance1", api),
        ("an older release", "ci.pub", "old.json", "slsaprovenance1", api),
    ] {
        let (accepted, text) = cosign.verifies(key, bundle, kind, file);
        assert!(!accepted, "{why}: {text}");
    }
}

/// Has cosign sign with a key pair of this name, and returns the bundle.
fn signed(cosign: &Cosign, name: &str, more: &[&str]) -> Vec<u8> {
    let (key, bundle) = (format!("{name}.key"), format!("{name}.json"));
    let fixed = ["attest-blob", "--key", &key, "--bundle", &bundle];
    let offline = ["--use-signing-config=false", "--tlog-upload=false"];
    cosign.succeeds(&[&fixed, offline.as_slice(), more].concat());
    cosign.read(&bundle)
}

/// The arguments by which cosign makes a statement of its own about one file.
const OWN_STATEMENT: [&str; 5] =
    ["--predicate", "predicate.json", "--type", "slsaprovenance1", "components/api.wasm"];

/// The predicate of that statement.
const PREDICATE: &str = r#"{"buildDefinition":{"buildType":"x","externalParameters":{}},"runDetails":{"builder":{"id":"x"}}}"#;

#[test]
#[ignore = "cosign takes minutes to compile: run release/tests/cosign"]
fn we_accept_what_cosign_signs() {
    let cosign = Cosign::new();
    // The keys are of P-256, and the private one is encrypted in a way of its own.
    cosign.succeeds(&["generate-key-pair"]);
    let text = |path: &str| String::from_utf8(cosign.read(path)).unwrap();
    let refused = PrivateKey::from_pem(&text("cosign.key"));
    assert_eq!(refused.unwrap_err(), release::keys::KeyError::Encrypted);
    let key = PublicKey::from_pem(&text("cosign.pub")).unwrap();
    let api = Sha256::of(&cosign.read("components/api.wasm"));
    cosign.write("predicate.json", PREDICATE);
    let bundle = signed(&cosign, "cosign", &OWN_STATEMENT);
    verify::attestation(&bundle, &api, PROVENANCE, &key).unwrap();
    let other = verify::attestation(&bundle, &Sha256::of(b""), PROVENANCE, &key);
    assert!(matches!(other, Err(verify::AttestationError::Subject(_))), "{other:?}");
    let other = verify::attestation(&bundle, &api, PROVENANCE, &STRANGER.public());
    assert_eq!(other, Err(verify::AttestationError::Signature));
    // Our statement, signed by cosign, makes a release.
    cosign.write("statement.json", Sample::new("1.2.0").json());
    let bundle = signed(&cosign, "cosign", &["--statement", "statement.json"]);
    let mut files = Sample::new("1.2.0").files;
    files.add_attestation(&Bundle::read(&bundle).unwrap(), &key).unwrap();
    let mut demands = Demands::all();
    demands.policy = Policy::default();
    demands.keys = vec![TrustedKey { key, ..trusted("cosign", &CI) }];
    let report = demands.check(&files.to_archive().unwrap());
    assert_eq!(report.verdict(), None, "{:#?}", report.checks);
}

#[test]
#[ignore = "cosign takes minutes to compile: run release/tests/cosign"]
fn cosign_does_not_accept_its_own_signatures_of_ed25519_and_neither_do_we() {
    let cosign = Cosign::new();
    cosign.write("ours.pem", CI.to_pem().as_bytes());
    cosign.succeeds(&["import-key-pair", "--key", "ours.pem", "--output-key-prefix", "imported"]);
    let imported = String::from_utf8(cosign.read("imported.pub")).unwrap();
    assert_eq!(PublicKey::from_pem(&imported).unwrap(), CI.public());
    // cosign 3.1.3 signs with Ed25519ph and checks Ed25519 (sigstore/cosign#5074). If it ever agrees with itself, this
    // fails, and shows whether we agree as well.
    cosign.write("predicate.json", PREDICATE);
    let bundle = signed(&cosign, "imported", &OWN_STATEMENT);
    let api = "components/api.wasm";
    let (accepted, text) = cosign.verifies("imported.pub", "imported.json", "slsaprovenance1", api);
    assert!(!accepted, "{text}");
    let digest = Sha256::of(&cosign.read(api));
    let ours = verify::attestation(&bundle, &digest, PROVENANCE, &CI.public());
    assert_eq!(ours, Err(verify::AttestationError::Signature));
}

/// A registry of go-containerregistry, which ends when this value is dropped.
struct Registry {
    process: Child,
    address: String,
}

impl Registry {
    fn start(lists_referrers: bool) -> Self {
        let mut process = Command::new(program("registry"))
            .arg(format!("-referrers={lists_referrers}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        Self { process, address: address.trim().to_owned() }
    }

    /// Sends bytes with curl.
    fn send(&self, method: &str, path: &str, kind: &str, bytes: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("body");
        std::fs::write(&file, bytes).unwrap();
        let output = Command::new("curl")
            .args(["--fail", "--silent", "--show-error", "--noproxy", "*", "--request", method])
            .args(["--header", &format!("content-type: {kind}"), "--data-binary"])
            .arg(format!("@{}", file.display()))
            .arg(format!("http://{}/v2/shop/api/{path}", self.address))
            .output()
            .expect("install curl");
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn upload(&self, blob: &[u8]) {
        let digest = Sha256::of(blob);
        let path = format!("blobs/uploads/?digest=sha256:{digest}");
        self.send("POST", &path, "application/octet-stream", blob);
    }

    fn push(&self, referrer: &Referrer) {
        referrer.blobs.iter().for_each(|blob| self.upload(blob));
        let digest = &referrer.descriptor.digest;
        self.send("PUT", &format!("manifests/{digest}"), MANIFEST, &referrer.manifest);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

#[test]
#[ignore = "cosign takes minutes to compile: run release/tests/cosign"]
fn cosign_finds_our_attestation_in_a_registry_with_and_without_referrers() {
    let cosign = Cosign::new();
    for lists_referrers in [false, true] {
        let registry = Registry::start(lists_referrers);
        let (config, layer) = (b"{}".as_slice(), cosign.read("components/api.wasm"));
        registry.upload(config);
        registry.upload(&layer);
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": Descriptor::of("application/vnd.wasm.config.v0+json", config),
            "layers": [Descriptor::of("application/wasm", &layer)],
        });
        let manifest = manifest.to_string().into_bytes();
        registry.send("PUT", "manifests/1.2.0", MANIFEST, &manifest);
        let (digest, subject) = (Sha256::of(&manifest), Descriptor::of(MANIFEST, &manifest));
        let sample = Sample::new("1.2.0");
        let name = format!("{}/shop/api", registry.address);
        let subjects = vec![Subject { name: name.clone(), digest: digest.into() }];
        let statement = sample.build.statement_about(subjects, &sample.files).unwrap();
        let bundle = Bundle::sign(&statement.to_json().unwrap(), &CI).to_json();
        let attestation = referrer::attestation(&subject, &bundle, PROVENANCE);
        let bill = referrer::bill(&subject, &cosign.read("sbom/api.cdx.json"));
        let mut index = None;
        for referrer in [&bill, &attestation] {
            registry.push(referrer);
            index = referrer::add_to_index(index.as_deref(), referrer).unwrap().or(index);
        }
        if !lists_referrers {
            let tag = format!("manifests/{}", referrer::fallback_tag(&digest));
            registry.send("PUT", &tag, INDEX, &index.unwrap());
        }
        let address = format!("{name}@sha256:{digest}");
        let check = |key: &str, kind: &str| {
            let flags = ["--insecure-ignore-tlog=true", "--allow-http-registry", &address];
            cosign
                .run(&[&["verify-attestation", "--key", key, "--type", kind], &flags[..]].concat())
        };
        let (accepted, text) = check("ci.pub", "slsaprovenance1");
        assert!(accepted, "referrers: {lists_referrers}: {text}");
        for (key, kind) in [("stranger.pub", "slsaprovenance1"), ("ci.pub", "spdxjson")] {
            let (accepted, text) = check(key, kind);
            assert!(!accepted, "{key} {kind}: {text}");
        }
    }
}
