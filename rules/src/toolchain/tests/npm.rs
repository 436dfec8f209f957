//! Tests packages through the real npm, from a registry on the loopback interface.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::Digest as _;

use super::clients::script;
use super::*;
use crate::platform::Platform;

const CATALOGUE: &str = r#"
    [toolchain.tool]
    about = "a tool"
    default = "1.0.0"
    [[toolchain.tool.recipe]]
    versions = ["1.0.0"]
    platforms = ["x86_64-linux"]
    [[toolchain.tool.recipe.layer]]
    from.npm.packages = { "@team/tool" = "{version}" }
    from.npm.overrides = { "shim" = "1.0.0" }
    at = "usr/lib/tool"
    exclude = ["usr/lib/tool/**/*.map"]
"#;

/// A registry, which maps the path of a URL to a body.
#[derive(Clone, Default)]
struct Registry(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Registry {
    fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let registry = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let registry = registry.clone();
                std::thread::spawn(move || registry.answer(stream.unwrap()));
            }
        });
        address
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => request.push(byte[0]),
                _ => return,
            }
        }
        let request = String::from_utf8(request).unwrap();
        let path = request.split(' ').nth(1).unwrap().to_lowercase();
        let found = self.0.lock().unwrap().get(&path).cloned();
        let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
        let body = found.unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        // A client that was stopped has closed its connection.
        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
    }
}

/// A machine whose npm knows one registry only.
struct NpmMachine {
    machine: Machine,
    registry: Registry,
    address: SocketAddr,
}

impl NpmMachine {
    fn new() -> Self {
        let mut machine = Machine::with(CATALOGUE);
        let registry = Registry::default();
        let address = registry.serve();
        let folder = machine.folder.path().display().to_string();
        let config = format!("registry=http://{address}/\nfetch-retries=0\ncache={folder}/cache\n");
        machine.write("npmrc", config.as_bytes());
        let text = format!(
            "#!/bin/sh\necho \"$1 $2\" >> {folder}/log\n\
             export npm_config_userconfig={folder}/npmrc npm_config_globalconfig={folder}/none\n\
             export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1\nexec npm \"$@\"\n"
        );
        let npm = machine.path("npm");
        script(&npm, &text);
        machine.registries.programs.npm = npm.into();
        let machine = Self { machine, registry, address };
        machine.publish_all();
        machine
    }

    /// Publishes the tool, a package that it needs in two versions, and packages for other machines.
    fn publish_all(&self) {
        let evil = format!("touch {}", self.machine.path("scripts-were-run").display());
        let tool = json!({
            "bin": { "tool": "cli.js" },
            "scripts": { "preinstall": evil, "install": evil, "postinstall": evil },
            "dependencies": { "lib": "^1.0.0", "other": "^1.0.0", "shim": "^1.0.0" },
            "optionalDependencies": {
                "native-linux": "1.0.0", "native-musl": "1.0.0", "native-mac": "1.0.0",
            },
            "devDependencies": { "not-published": "1.0.0" },
        });
        self.publish("@team/tool", "1.0.0", tool, &[("cli.js", "run"), ("cli.js.map", "map")]);
        self.publish("lib", "1.0.0", json!({}), &[("index.js", "lib 1.0.0")]);
        self.publish("lib", "1.1.0", json!({}), &[("index.js", "lib 1.1.0")]);
        self.publish("lib", "2.0.0", json!({}), &[("index.js", "lib 2.0.0")]);
        let other = json!({ "dependencies": { "lib": "^2.0.0" } });
        self.publish("other", "1.0.0", other, &[("index.js", "other")]);
        self.publish("shim", "1.0.0", json!({}), &[("index.js", "good")]);
        self.publish("shim", "1.0.1", json!({}), &[("index.js", "broken")]);
        let linux = json!({ "os": ["linux"], "cpu": ["x64"] });
        self.publish("native-linux", "1.0.0", linux, &[("native", "elf")]);
        // Older versions of npm don't write `libc` into their lockfiles.
        let musl = json!({ "os": ["linux"], "cpu": ["x64"], "libc": ["musl"] });
        self.publish("native-musl", "1.0.0", musl, &[("native", "elf")]);
        let mac = json!({ "os": ["darwin"] });
        self.publish("native-mac", "1.0.0", mac, &[("native", "mach-o")]);
    }

    /// Publishes a version of a package, or replaces it.
    fn publish(&self, name: &str, version: &str, fields: Value, files: &[(&str, &str)]) {
        let mut manifest = json!({ "name": name, "version": version });
        manifest.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let text = json!({
            "name": name, "version": version, "bin": fields["bin"], "libc": fields["libc"],
        });
        let text = text.to_string();
        let names: Vec<_> = files.iter().map(|(name, _)| format!("package/{name}")).collect();
        let files =
            names.iter().zip(files).map(|(n, (_, text))| (n.as_str(), 0o644, text.as_bytes()));
        let mut members = vec![("package/package.json", 0o644, text.as_bytes())];
        members.extend(files);
        let tarball = super::gzip(&tape_of(&members));
        let path = format!("/{name}/-/{version}.tgz");
        let integrity = STANDARD.encode(sha2::Sha512::digest(&tarball));
        manifest["dist"] = json!({
            "tarball": format!("http://{}{path}", self.address),
            "integrity": format!("sha512-{integrity}"),
        });
        let document = format!("/{}", name.replace('/', "%2f"));
        let mut bodies = self.registry.0.lock().unwrap();
        let known = bodies.get(&document).map(|text| serde_json::from_slice(text).unwrap());
        let mut known: Value =
            known.unwrap_or_else(|| json!({ "name": name, "dist-tags": {}, "versions": {} }));
        known["versions"][version] = manifest;
        known["dist-tags"]["latest"] = json!(version);
        bodies.insert(document, known.to_string().into_bytes());
        bodies.insert(path, tarball);
    }

    fn tarball(&self, path: &str) -> Digest {
        Digest::of(DigestFunction::Sha256, &self.registry.0.lock().unwrap()[path])
    }

    /// Returns the arguments of the calls of npm since the last time.
    fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.machine.path("log")).unwrap_or_default();
        let _ = fs::remove_file(self.machine.path("log"));
        log.lines().filter(|call| *call != "config get").map(ToOwned::to_owned).collect()
    }

    fn sync(&self, store: &DiskStore) -> Lock {
        self.machine
            .sync(store, &Log::default())
            .expect("this test needs npm (Debian: npm) 7 or newer")
    }

    fn store(&self, name: &str) -> DiskStore {
        self.machine.store(name, DigestFunction::Blake3)
    }
}

fn versions(lock: &Lock) -> Vec<String> {
    lock.packages.iter().map(|package| format!("{} {}", package.from, package.purl)).collect()
}

#[test]
fn a_package_comes_through_npm_with_what_it_needs() {
    let npm = NpmMachine::new();
    let lock = npm.sync(&npm.store("store"));
    assert_eq!(npm.calls(), ["install --package-lock-only", "cache add"]);
    let expect = [
        "usr/lib/tool/node_modules/@team/tool pkg:npm/%40team/tool@1.0.0",
        "usr/lib/tool/node_modules/lib pkg:npm/lib@1.1.0",
        "usr/lib/tool/node_modules/native-linux pkg:npm/native-linux@1.0.0",
        "usr/lib/tool/node_modules/other pkg:npm/other@1.0.0",
        "usr/lib/tool/node_modules/other/node_modules/lib pkg:npm/lib@2.0.0",
        "usr/lib/tool/node_modules/shim pkg:npm/shim@1.0.0",
    ];
    assert_eq!(versions(&lock), expect);
    assert_eq!(lock.packages[0].pin, Pin::File(npm.tarball("/@team/tool/-/1.0.0.tgz")));
    assert_eq!(lock.packages[0].file.as_deref(), Some("team-tool-1.0.0.tgz"));
    let text = fs::read_to_string(npm.machine.lockfile()).unwrap();
    assert!(!text.contains("127.0.0.1"), "{text}");
    assert_eq!(Lock::read(&npm.machine.lockfile()).unwrap().as_ref(), Some(&lock));

    let elsewhere = npm.store("elsewhere");
    let tree = npm.machine.install(&elsewhere, &lock).unwrap();
    assert_eq!(tree, lock.images[0].tree);
    assert_eq!(npm.calls(), ["cache add"]);
    let lines = listing(&elsewhere, &tree);
    let files: Vec<_> = lines
        .iter()
        .filter(|line| !line.contains("/package.json: "))
        .map(|line| line.strip_prefix("usr/lib/tool/node_modules/").unwrap())
        .collect();
    let expect = [
        "@team/tool/cli.js: run",
        "lib/index.js: lib 1.1.0",
        "native-linux/native: elf",
        "other/index.js: other",
        "other/node_modules/lib/index.js: lib 2.0.0",
        "shim/index.js: good",
    ];
    assert_eq!(files, expect);
    assert!(!npm.machine.path("scripts-were-run").exists());
}

#[test]
fn a_program_for_another_platform_comes_through_npm() {
    let mut npm = NpmMachine::new();
    npm.machine.catalogue = r#"
        [toolchain.tool]
        about = "a program"
        default = "1.0.0"
        [[toolchain.tool.recipe]]
        versions = ["1.0.0"]
        platforms = ["aarch64-linux", "x86_64-linux"]
        [[toolchain.tool.recipe.layer]]
        from.npm.packages = { "@team/linux-{npm-cpu}" = "{version}" }
    "#
    .to_owned();
    for cpu in ["arm64", "x64"] {
        let fields = json!({ "os": ["linux"], "cpu": [cpu] });
        npm.publish(&format!("@team/linux-{cpu}"), "1.0.0", fields, &[("program", cpu)]);
    }
    npm.machine.platforms = Platform::ALL.to_vec();
    let lock = npm.sync(&npm.store("store"));
    let names: Vec<String> = lock.packages.iter().map(|package| package.purl.name()).collect();
    assert_eq!(names, ["linux-arm64", "linux-x64"]);
}

#[test]
fn locked_packages_are_kept_until_refreshed() {
    let mut npm = NpmMachine::new();
    let store = npm.store("store");
    let before = npm.sync(&store);
    let text = fs::read_to_string(npm.machine.lockfile()).unwrap();
    npm.publish("lib", "1.2.0", json!({}), &[("index.js", "lib 1.2.0")]);
    npm.calls();
    npm.sync(&store);
    assert_eq!(fs::read_to_string(npm.machine.lockfile()).unwrap(), text);

    npm.machine.catalogue = npm.machine.catalogue.replace("*.map", "*.md");
    let unpacked_otherwise = npm.sync(&store);
    assert_eq!(unpacked_otherwise.packages, before.packages);
    assert_ne!(unpacked_otherwise.images[0].tree, before.images[0].tree);
    assert_eq!(npm.calls(), [] as [&str; 0]);

    npm.machine.catalogue =
        npm.machine.catalogue.replace("\"shim\" = \"1.0.0\"", "\"shim\" = \"1.0.1\"");
    let overridden = versions(&npm.sync(&store));
    assert!(overridden[5].ends_with("/shim@1.0.1"), "{overridden:?}");
    npm.publish("lib", "1.3.0", json!({}), &[("index.js", "lib 1.3.0")]);
    npm.machine.upgrade = crate::toolchain::Upgrade::All;
    let refreshed = versions(&npm.sync(&store));
    assert!(refreshed[1].ends_with("/lib@1.3.0"), "{refreshed:?}");
}

#[test]
fn other_bytes_of_a_package_are_refused() {
    let npm = NpmMachine::new();
    let lock = npm.sync(&npm.store("store"));
    let expected = npm.tarball("/lib/-/1.1.0.tgz");
    // The registry promises the new bytes.
    npm.publish("lib", "1.1.0", json!({}), &[("index.js", "evil")]);
    let actual = npm.tarball("/lib/-/1.1.0.tgz");
    let other = npm.store("other");
    let error = npm.machine.install(&other, &lock).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    assert_eq!(
        error.to_string(),
        format!(
            "lib-1.1.0.tgz has other bytes than the lock says: \
             expected sha256:{}, got sha256:{}",
            expected.hex(),
            actual.hex()
        )
    );
    assert!(!other.contains(&actual));

    // The registry does not promise these bytes: a transfer went wrong, or a mirror lies.
    let bytes = super::gzip(b"broken");
    npm.registry.0.lock().unwrap().insert("/lib/-/1.1.0.tgz".to_owned(), bytes);
    let error = npm.machine.install(&other, &lock).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    let error = error.to_string();
    assert!(
        error.starts_with("npm got other bytes than the registry promised (wanted sha512-"),
        "{error}"
    );
    fs::remove_file(npm.machine.lockfile()).unwrap();
    fs::remove_dir_all(npm.machine.path("cache")).unwrap();
    let error = npm.machine.sync(&other, &Log::default()).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    assert!(!npm.machine.lockfile().exists());
}

#[test]
fn what_the_store_has_is_not_downloaded() {
    let npm = NpmMachine::new();
    let store = npm.store("store");
    let lock = npm.sync(&store);
    let other = npm.machine.store("other", DigestFunction::Sha256);
    for package in &lock.packages[1..] {
        let Pin::File(digest) = &package.pin else { panic!("{package:?}") };
        other.put(&store.get(digest).unwrap().unwrap()).unwrap();
    }
    npm.registry.0.lock().unwrap().retain(|path, _| path.contains("tool"));
    npm.machine.install(&other, &lock).unwrap();
    assert_eq!(npm.machine.install(&npm.store("other"), &lock).unwrap(), lock.images[0].tree);
}

#[test]
fn npm_or_a_package_may_be_missing() {
    let mut npm = NpmMachine::new();
    let store = npm.store("store");
    npm.registry.0.lock().unwrap().remove("/other");
    let error = npm.machine.sync(&store, &Log::default()).unwrap_err().to_string();
    // Versions of npm begin a line differently.
    for said in ["npm install --package-lock-only` failed (exit status: 1)\n", "code E404\n"] {
        assert!(error.contains(said), "{error}");
    }
    npm.machine.registries.programs.npm = "no-such-npm".into();
    let error = npm.machine.sync(&store, &Log::default()).unwrap_err().to_string();
    assert_eq!(error, "`no-such-npm` is not installed; install npm (Debian: npm)");
    npm.machine.registries.network.offline = true;
    let error = npm.machine.sync(&store, &Log::default()).unwrap_err().to_string();
    assert_eq!(error, "cannot fetch @team/tool@1.0.0: the network is switched off");
}
