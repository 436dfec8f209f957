//! A release as a project would make it, with two components, three keys, and a way to take it apart.
//!
//! Keys are made anew in each run of the tests; everything else is always the same.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use release::archive::Files;
use release::bundle::Bundle;
use release::keys::PrivateKey;
use release::policy::Policy;
use release::sbom::{self, Component};
use release::statement::{Builder, Role, Sandbox, Statement};
use release::trust::{Day, TrustedKey};
use release::verify::{self, Demand, Report};
use release::{Algorithm, Build, Digests, Package, Sha256, Source};
use semver::Version;

/// The builder as which the keys speak.
pub(crate) const BUILDER: &str = "https://ci.example/builder";

/// The key of the continuous integration, that of somebody who builds again, and that of a stranger.
pub(crate) static CI: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate().unwrap());
pub(crate) static REBUILDER: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::generate().unwrap());
pub(crate) static STRANGER: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::generate().unwrap());

/// The demands of a test, with their own data.
#[derive(Clone)]
pub(crate) struct Demands {
    pub(crate) keys: Vec<TrustedKey>,
    pub(crate) policy: Policy,
    pub(crate) project: Option<&'static str>,
    pub(crate) minimum: Option<Version>,
    pub(crate) today: Day,
}

impl Demands {
    /// The demands that the sample fulfils: everything that can be demanded of it.
    pub(crate) fn all() -> Self {
        let builder = format!("builder:{BUILDER}");
        let list = ["signatures:2", &builder, "clean-sources", "strong-sandbox", "reproduced"];
        Self {
            keys: vec![trusted("ci", &CI), trusted("rebuilder", &REBUILDER)],
            policy: Policy::of(&list).unwrap(),
            project: Some("shop"),
            minimum: Some(version("1.2.0")),
            today: day("2026-12-01"),
        }
    }

    pub(crate) fn check(&self, archive: &[u8]) -> Report {
        verify::release(archive, &self.demand())
    }

    pub(crate) fn check_artifact(
        &self,
        name: &str,
        digest: &Sha256,
        attestations: &[(String, Vec<u8>)],
    ) -> Report {
        verify::artifact(name, digest, attestations, &self.demand())
    }

    fn demand(&self) -> Demand<'_> {
        Demand {
            keys: &self.keys,
            policy: &self.policy,
            project: self.project,
            minimum: self.minimum.as_ref(),
            today: self.today,
        }
    }
}

pub(crate) fn trusted(name: &str, key: &PrivateKey) -> TrustedKey {
    TrustedKey {
        name: name.to_owned(),
        key: key.public(),
        expires: Some(day("2026-12-31")),
        builder: Some(BUILDER.to_owned()),
    }
}

pub(crate) fn day(text: &str) -> Day {
    text.parse().unwrap()
}

pub(crate) fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// The packages of both components.
pub(crate) fn packages() -> Vec<Package> {
    let package = |purl: &str, role, licence: Option<&str>, depends_on: &[&str]| Package {
        purl: purl.parse().unwrap(),
        name: purl.split(['/', '@']).nth(1).unwrap().to_owned(),
        version: purl.split('@').nth(1).map(str::to_owned),
        digests: Sha256::of(purl.as_bytes()).into(),
        licence: licence.map(str::to_owned),
        role,
        depends_on: depends_on.iter().map(|purl| purl.parse().unwrap()).collect(),
    };
    let mut packages = vec![
        package("pkg:generic/rustc@1.95.0", Role::Tool, Some("MIT OR Apache-2.0"), &[]),
        package("pkg:generic/rust-std@1.95.0", Role::Runtime, Some("MIT/Apache-2.0"), &[]),
        package(
            "pkg:cargo/serde@1.0.229",
            Role::Library,
            Some("MIT OR Apache-2.0"),
            &["pkg:cargo/serde_core@1.0.229"],
        ),
        package("pkg:cargo/serde_core@1.0.229", Role::Library, None, &[]),
        package("pkg:wasm/wasi-http@0.2.10", Role::Wit, Some("as its file LICENSE says"), &[]),
    ];
    let tree = (Algorithm::Blake3, "b3".repeat(32));
    let commit = (Algorithm::GitCommit, "c0".repeat(20));
    packages[4].digests = Digests::new([tree, commit]).unwrap();
    packages
}

/// A release before anybody has signed it.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) files: Files,
    pub(crate) build: Build,
}

impl Sample {
    pub(crate) fn new(release: &str) -> Self {
        let version = version(release);
        let mut files = Files::new("shop", &version).unwrap();
        let mut action_keys = BTreeMap::new();
        for name in ["api", "worker"] {
            let bytes = format!("\0asm{name} of {release}").repeat(20).into_bytes();
            let component = Component {
                name: name.to_owned(),
                version: release.to_owned(),
                digest: Sha256::of(&bytes),
                licence: Some("Apache-2.0".to_owned()),
                depends_on: packages().iter().map(|package| package.purl.clone()).collect(),
            };
            let bill = sbom::write(&component, &packages(), "0.1.0").unwrap();
            files.add_component(name, bytes).unwrap();
            files.add_sbom(name, bill).unwrap();
            action_keys
                .insert(name.to_owned(), format!("blake3:{}/142", Sha256::of(name.as_bytes())));
        }
        let manifest = format!("[project]\nname = \"shop\"\nversion = \"{release}\"\n");
        files.add_source("run.toml", manifest.into_bytes()).unwrap();
        files.add_source("run.lock.toml", format!("# lock of {release}\n").into_bytes()).unwrap();
        files
            .add_source("api/Cargo.lock", format!("# crates of {release}\n").into_bytes())
            .unwrap();
        let build = Build {
            project: "shop".to_owned(),
            version,
            opt_level: "release".to_owned(),
            source: Some(Source {
                repository: "git+https://git.example/shop".to_owned(),
                commit: Sha256::of(release.as_bytes()).hex()[..40].to_owned(),
                is_clean: true,
            }),
            action_keys,
            platform: "x86_64-linux".to_owned(),
            rebuilds: 2,
            sandbox: Sandbox::Namespaces,
            packages: packages(),
            builder: Builder {
                id: BUILDER.to_owned(),
                version: BTreeMap::from([("run".to_owned(), "0.1.0".to_owned())]),
            },
        };
        Self { files, build }
    }

    pub(crate) fn statement(&self) -> Statement {
        self.build.statement(&self.files).unwrap()
    }

    /// Returns the JSON of the statement.
    pub(crate) fn json(&self) -> Vec<u8> {
        self.statement().to_json().unwrap()
    }

    /// Returns the archive as these keys sign it.
    pub(crate) fn signed(&self, keys: &[&PrivateKey]) -> Vec<u8> {
        let mut files = self.files.clone();
        for key in keys {
            files.add_attestation(&Bundle::sign(&self.json(), key), &key.public()).unwrap();
        }
        files.to_archive().unwrap()
    }

    /// Returns the valid release.
    pub(crate) fn archive(&self) -> Vec<u8> {
        self.signed(&[&CI, &REBUILDER])
    }
}

/// The path of what a key says.
pub(crate) fn attestation(key: &PrivateKey) -> String {
    format!("attestations/{}.sigstore.json", key.public().id().short())
}
