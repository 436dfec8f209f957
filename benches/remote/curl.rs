//! The same transfers with curl.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use cache::{ContentStore, Digest};

use super::servers::installed;

/// The number of transfers at once, which is `run`'s default for connections.
const AT_ONCE: &str = "32";

/// Uploads blobs of a store.
pub(super) fn upload(url: &str, digests: &[Digest], store: &ContentStore, folder: &Path) {
    let mut configuration = String::new();
    for digest in digests {
        let path = store.blob_path(digest, false).unwrap().unwrap();
        let (path, hex) = (path.display(), digest.hex());
        writeln!(configuration, "url = \"{url}/cas/{hex}\"\nupload-file = \"{path}\"").unwrap();
    }
    run(&configuration, folder);
}

/// Downloads blobs into files of a folder. They are not checked.
pub(super) fn download(url: &str, digests: &[Digest], folder: &Path) {
    let mut configuration = String::new();
    for digest in digests {
        let hex = digest.hex();
        let path = folder.join(&hex);
        let path = path.display();
        writeln!(configuration, "url = \"{url}/cas/{hex}\"\noutput = \"{path}\"").unwrap();
    }
    run(&configuration, folder);
}

fn run(configuration: &str, folder: &Path) {
    let file = folder.join("curl.conf");
    std::fs::write(&file, configuration).unwrap();
    let mut command = Command::new(installed("curl", "curl"));
    command.args(["--silent", "--show-error", "--fail", "--parallel", "--parallel-max", AT_ONCE]);
    let output = command.arg("--config").arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
