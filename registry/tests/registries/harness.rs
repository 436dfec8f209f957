//! What the tests share: packages, settings, and registries that are real programs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use registry::{
    Address, Artifact, Error, Facts, Fetched, PackageId, Registries, Settings, annotation,
};
use semver::Version;
use tempfile::TempDir;

/// Returns a component that consists of a text in a custom section.
pub(crate) fn component(text: &str) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    let length = u8::try_from(text.len() + 2).unwrap();
    assert!(length < 128, "the length is one byte");
    bytes.extend([0, length, 1, b't']);
    bytes.extend(text.as_bytes());
    bytes
}

pub(crate) fn artifact(text: &str) -> Artifact {
    let annotations = [
        (annotation::DESCRIPTION, "Says hello"),
        (annotation::LICENSES, "Apache-2.0"),
        (annotation::SOURCE, "https://example.com/greet.git"),
        (annotation::REVISION, "0123456789abcdef"),
        (annotation::URL, "https://example.com"),
        (annotation::AUTHORS, "A. Nobody"),
    ];
    let annotations = annotations.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let annotations = BTreeMap::from(annotations);
    Artifact { bytes: component(text), annotations, facts: Facts::default() }
}

pub(crate) fn package(name: &str) -> PackageId {
    name.parse().unwrap()
}

pub(crate) fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

/// Returns settings that are impatient enough for a test.
pub(crate) fn settings(address: &str) -> Settings {
    let mut settings = Settings::new(address.parse::<Address>().unwrap());
    settings.network.attempts = 2;
    settings.network.pause = Duration::from_millis(10);
    settings.network.connect_timeout = Duration::from_secs(5);
    settings.network.idle_timeout = Duration::from_secs(10);
    settings.network.longest_wait = Duration::from_secs(2);
    settings
}

pub(crate) fn registries(settings: Settings) -> Registries {
    Registries::new(settings)
}

/// Returns registries with one address.
pub(crate) fn at(address: &str) -> Registries {
    registries(settings(address))
}

pub(crate) fn fetch(from: &Registries, name: &str, number: &str) -> Result<Fetched, Error> {
    from.fetch(&package(name), &version(number), None)
}

/// Returns the versions of a package as texts.
pub(crate) fn versions(from: &Registries, name: &str) -> Vec<String> {
    let releases = from.versions(&package(name)).unwrap();
    releases.iter().map(|release| release.version.to_string()).collect()
}

/// Returns an error with all its causes, as a user sees it, and checks that no secret is in it.
pub(crate) fn shown(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    for text in [&text, &format!("{error:?}")] {
        assert!(!text.contains(SECRET), "{text}");
    }
    text
}

/// The password and the token of the tests.
pub(crate) const SECRET: &str = "s3sam-0pen";

/// A registry that is a program, which ends with this.
pub(crate) struct Program {
    pub(crate) host: String,
    child: Child,
    _folder: TempDir,
}

impl Program {
    /// Starts Debian's registry.
    pub(crate) fn docker() -> Self {
        Self::docker_in(tempfile::tempdir().unwrap(), "")
    }

    /// Starts Debian's registry, which lets in `ci` with the password [`SECRET`] only.
    pub(crate) fn docker_with_password() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("htpasswd").args(["-nbB", "ci", SECRET]).output();
        let made = made.expect("htpasswd is installed (apt-get install apache2-utils)");
        let path = folder.path().join("htpasswd");
        fs::write(&path, made.stdout).unwrap();
        let auth = format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", path.display());
        Self::docker_in(folder, &auth)
    }

    /// Starts Debian's registry, which lets in those who have a token of a server with this certificate.
    pub(crate) fn docker_with_tokens(realm: &str, certificate: &Path) -> Self {
        let certificate = certificate.display();
        let auth = format!(
            "auth: {{token: {{realm: \"{realm}\", service: registry, issuer: test, rootcertbundle: {certificate}}}}}\n"
        );
        Self::docker_in(tempfile::tempdir().unwrap(), &auth)
    }

    fn docker_in(folder: TempDir, auth: &str) -> Self {
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: \"127.0.0.1:0\", secret: x}}\n{auth}",
            folder.path().join("packages").display()
        );
        let path = folder.path().join("config.yml");
        fs::write(&path, config).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(path);
        Self::start(command, "listening on ", folder)
    }

    /// Starts the registry of crane.
    pub(crate) fn crane() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(tool("crane"));
        command.args(["registry", "serve", "--address", "127.0.0.1:0"]);
        Self::start(command, "serving on port ", folder)
    }

    /// Starts a program, and waits until it says where it listens.
    fn start(mut command: Command, says: &str, folder: TempDir) -> Self {
        let log = folder.path().join("log");
        let file = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let program = command.get_program().to_owned();
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("{}: {error} (apt-get install docker-registry)", program.display())
        });
        // From here on the program ends with this value, whatever happens.
        let mut started = Self { host: String::new(), child, _folder: folder };
        for _ in 0..300 {
            let text = BufReader::new(File::open(&log).unwrap());
            let said = text.lines().find_map(|line| {
                let line = line.unwrap();
                let rest = line.split_once(says)?.1.to_owned();
                let port =
                    rest.split(|c: char| !c.is_ascii_digit() && !".:[]".contains(c)).next()?;
                Some(port.rsplit(':').next()?.to_owned())
            });
            if let Some(port) = said {
                started.host = format!("localhost:{port}");
                return started;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "{} does not say where it listens: {}",
            program.display(),
            fs::read_to_string(&log).unwrap()
        );
    }

    pub(crate) fn url(&self) -> String {
        format!("oci+http://{}", self.host)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Returns the path of a client of other people, which the go command installs once.
pub(crate) fn tool(name: &str) -> PathBuf {
    let module = match name {
        "crane" => "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
        "oras" => "oras.land/oras/cmd/oras@v1.3.6",
        _ => panic!("{name} is not known"),
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-bin");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let path = folder.join(name);
    if !path.exists() {
        let installed =
            Command::new("go").arg("install").arg(module).env("GOBIN", &folder).output();
        let installed = installed.expect("go is installed");
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    }
    path
}

/// Runs a client of other people, and returns what it prints.
pub(crate) fn run(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool(name)).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
