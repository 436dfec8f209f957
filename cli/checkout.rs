//! Finds the checkout that a project belongs to, and the time of its last commit.
//!
//! A checkout may be hostile. Its git configuration can name programs that git runs (to check signatures, to
//! watch files, to fetch what is missing), so git is asked in a way that runs none of them.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rules::path::is_inside;
use sandbox::Supervised;

use crate::command_error::CommandError;
use crate::config::Config;

/// The time that git may take. It reads two small files, so if it takes longer, it waits for something that never
/// comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The number of bytes that is enough for the header of every commit, signatures included.
const HEADER: u64 = 1 << 20;

/// The variables of the environment that git sees. The variables that control git itself, as in a hook, may
/// name another repository.
const VARIABLES: [&str; 4] = ["HOME", "PATH", "XDG_CONFIG_HOME", "TMPDIR"];

/// Overrides of the settings that name programs.
const SETTINGS: [&str; 5] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.sshCommand=false",
    "gpg.program=false",
    "log.showSignature=false",
];

/// Returns the outermost folder of the checkout: that of the outermost repository around the project, or the
/// project's own folder if there is none. A repository that holds the user's home is not a checkout.
pub(crate) fn root(config: &Config, project: &Path) -> PathBuf {
    let home = config.variable("HOME").map(PathBuf::from);
    outermost(home.as_deref(), project).unwrap_or(project).to_owned()
}

/// Returns true if a file, after following links, is part of the checkout that a folder is in. The project
/// need not be known yet: it is the nearest folder above with a run.toml.
pub(crate) fn holds(home: Option<&Path>, folder: &Path, file: &Path) -> bool {
    let project = folder.ancestors().find(|folder| folder.join("run.toml").is_file());
    outermost(home, folder).or(project).is_some_and(|root| is_inside(file, root))
}

/// Returns the outermost of those repositories around a folder that don't hold the user's home.
fn outermost<'a>(home: Option<&Path>, folder: &'a Path) -> Option<&'a Path> {
    let holds_home = |folder: &Path| home.is_some_and(|home| home.starts_with(folder));
    repositories(folder).filter(|folder| !holds_home(folder)).last()
}

/// Returns the time of the last commit, in seconds since 1970, or `None` if the project is in no repository
/// or in one without commits.
pub(crate) fn last_commit(config: &Config, project: &Path) -> Result<Option<u64>, CommandError> {
    if repositories(project).next().is_none() {
        return Ok(None);
    }
    let unknown = |reason: &str| {
        CommandError::environment(format!(
            "cannot read the time of the last commit from git: {reason}"
        ))
        .hint("set SOURCE_DATE_EPOCH to the time that the build should see, in seconds since 1970")
    };
    match ask(config, project, &["cat-file", "commit", "HEAD"]) {
        Ok(Answer::Said(text)) => committed(&text).map(Some).ok_or_else(|| unknown(text.trim())),
        Ok(Answer::Refused(said)) if said.contains("Not a valid object name HEAD") => Ok(None),
        Ok(Answer::Refused(said)) => Err(unknown(said.lines().next().unwrap_or("it failed"))),
        Ok(Answer::Nothing) => Err(unknown("it does not answer")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(unknown("it is not installed"))
        }
        Err(error) => Err(unknown(&error.to_string())),
    }
}

/// Returns the folders of the repositories around a folder, the nearest first. One may be a submodule of
/// another.
fn repositories(folder: &Path) -> impl Iterator<Item = &Path> {
    folder.ancestors().filter(|folder| folder.join(".git").symlink_metadata().is_ok())
}

enum Answer {
    /// The text that git printed.
    Said(String),
    /// The message of git, which has failed.
    Refused(String),
    /// git took too long.
    Nothing,
}

/// Returns the hash of the last commit, or `None` if the project is in no repository, or git does not say it.
pub(crate) fn revision(config: &Config, project: &Path) -> Option<String> {
    repositories(project).next()?;
    match ask(config, project, &["rev-parse", "--verify", "HEAD"]) {
        Ok(Answer::Said(text)) => Some(text.trim().to_owned()).filter(|hash| !hash.is_empty()),
        _ => None,
    }
}

fn ask(config: &Config, project: &Path, question: &[&str]) -> std::io::Result<Answer> {
    let mut git = Command::new("git");
    git.arg("--no-pager").arg("-C").arg(project);
    for setting in SETTINGS {
        git.args(["-c", setting]);
    }
    git.args(question).current_dir("/").env_clear();
    for name in VARIABLES {
        git.envs(config.client_environment.get(OsStr::new(name)).map(|value| (name, value)));
    }
    // A missing commit must not be fetched, because the repository says how.
    git.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "none");
    git.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begin = Instant::now();
    let mut running = Supervised::spawn(&mut git)?;
    // Read while git writes: a commit with a long message does not fit into a pipe.
    let commit = reader(running.stdout())?;
    let said = reader(running.stderr())?;
    let status = loop {
        match running.try_wait()? {
            Some(status) => break status,
            None if begin.elapsed() > PATIENCE => return Ok(Answer::Nothing),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let text = |bytes: Receiver<Vec<u8>>| {
        let left = PATIENCE.saturating_sub(begin.elapsed());
        String::from_utf8_lossy(&bytes.recv_timeout(left).unwrap_or_default()).into_owned()
    };
    Ok(match status.success() {
        true => Answer::Said(text(commit)),
        false => Answer::Refused(text(said)),
    })
}

/// Reads a pipe to its end on a thread of its own. The wanted text is at the start, so the rest is dropped.
fn reader(pipe: Option<impl Read + Send + 'static>) -> std::io::Result<Receiver<Vec<u8>>> {
    let (send, receive) = channel();
    let read = move || {
        let mut start = Vec::new();
        if let Some(mut pipe) = pipe {
            // The bytes that came before an error still count.
            let _ = pipe.by_ref().take(HEADER).read_to_end(&mut start);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        let _ = send.send(start);
    };
    std::thread::Builder::new().name("git-output".to_owned()).spawn(read)?;
    Ok(receive)
}

/// Returns the time in the line `committer NAME <MAIL> SECONDS ZONE` of a commit object.
fn committed(commit: &str) -> Option<u64> {
    let header = commit.lines().take_while(|line| !line.is_empty());
    let line = header.filter_map(|line| line.strip_prefix("committer ")).next()?;
    line.rsplit(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committer_decides_about_the_time() {
        let commit = "tree 1\nauthor A <a@b> 1 +0000\ncommitter B C <b@c> 1700000000 +0100\n\ncommitter x 2 y";
        assert_eq!(committed(commit), Some(1_700_000_000));
        assert_eq!(committed("tree 1\n\ncommitter B <b> 5 +0000"), None);
        assert_eq!(committed(""), None);
    }
}
