//! Credential helpers: programs named `docker-credential-…` that keep credentials, such as in a keychain.
//!
//! The program is looked up in the absolute folders of `PATH`, sees only the variables of the settings, and is
//! ended after a time limit. Its output may hold the secret, so none of it is shown.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::credential::Credential;
use super::failure::CredentialsError;
use crate::secret::Secret;
use crate::text::printable;

/// The largest answer of a helper that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// The programs that keep credentials (`docker-credential-…`): where they are found and what they see.
#[derive(Clone, Default)]
pub struct Helpers {
    /// The value of `PATH`. Only absolute folders count.
    pub path: OsString,
    /// The environment of the programs. They see nothing else.
    pub variables: BTreeMap<OsString, OsString>,
    /// The longest time that a program may take.
    pub time_limit: Duration,
}

/// The answer of a helper.
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// Asks a helper for the credentials of a host. `config` is the file that names the helper.
pub(crate) async fn ask(
    helpers: &Helpers,
    config: &Path,
    name: &str,
    host: &str,
) -> Result<Option<Credential>, CredentialsError> {
    let sound = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || !name.chars().all(sound) {
        let name = printable(name, 100);
        return Err(CredentialsError::HelperName { name, path: config.to_owned() });
    }
    let program = format!("docker-credential-{name}");
    let Some(path) = find(helpers, &program) else {
        let (host, path) = (host.to_owned(), config.to_owned());
        return Err(CredentialsError::NoHelper { program, host, path });
    };
    let limit = helpers.time_limit;
    let answered = tokio::time::timeout(limit, async {
        // Docker's own helpers know hosts, some others only URLs.
        let mut output = run(helpers, &path, host).await?;
        if is_absent(&output) {
            output = run(helpers, &path, &format!("https://{host}")).await?;
        }
        Ok(output)
    });
    let output = match answered.await {
        Ok(Ok(output)) => output,
        Ok(Err(source)) => return Err(CredentialsError::Helper { program, source }),
        Err(_) => return Err(CredentialsError::HelperSlow { program, limit }),
    };
    if is_absent(&output) {
        return Ok(None);
    }
    let failed = |reason: &str| CredentialsError::HelperFailed {
        program: program.clone(),
        host: host.to_owned(),
        reason: reason.to_owned(),
    };
    if !output.success {
        return Err(failed("it failed"));
    }
    let answer: Answer = serde_json::from_slice(&output.text)
        .map_err(|_| failed("its answer is not what the protocol demands"))?;
    let secret = Secret::new(answer.secret);
    Ok(Some(match answer.user.as_str() {
        "<token>" => Credential::Refresh(secret),
        _ => Credential::Basic { user: answer.user, password: secret },
    }))
}

struct Output {
    success: bool,
    text: Vec<u8>,
}

/// Returns true if the helper says that it has nothing for the host.
fn is_absent(output: &Output) -> bool {
    !output.success && String::from_utf8_lossy(&output.text).contains("credentials not found")
}

async fn run(helpers: &Helpers, path: &Path, server: &str) -> io::Result<Output> {
    // The program is killed when the limit drops this future.
    let mut child = Command::new(path)
        .arg("get")
        .env_clear()
        .envs(&helpers.variables)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A helper that does not read its input may answer all the same.
        let _ = input.write_all(server.as_bytes()).await;
    }
    let mut text = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(LARGEST).read_to_end(&mut text).await?;
    }
    Ok(Output { success: child.wait().await?.success(), text })
}

fn find(helpers: &Helpers, program: &str) -> Option<PathBuf> {
    let folders = std::env::split_paths(&helpers.path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

impl fmt::Debug for Helpers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Helpers").field("path", &self.path).finish_non_exhaustive()
    }
}
