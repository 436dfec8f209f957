//! Finds out which commit a release is of, and refuses sources that are not those of a commit.

use project::Project;
use release::Source;

use crate::checkout;
use crate::command_error::CommandError;
use crate::config::Config;

/// The number of changed files that are named.
const SHOWN: usize = 5;

/// Returns the commit of a project. Without a repository, and with `allow_dirty`, there is none.
pub(super) fn sources(
    config: &Config,
    project: &Project,
    allow_dirty: bool,
) -> Result<Option<Source>, CommandError> {
    let Some(commit) = checkout::revision(config, &project.folder) else {
        if allow_dirty {
            return Ok(None);
        }
        return Err(CommandError::usage("the project is in no commit of a git repository")
            .hint("commit it, or use --allow-dirty: then the attestation says that nobody knows the sources"));
    };
    let output = &project.manifest.build.output_dir.value;
    let changed = checkout::changes(config, &project.folder, output.as_str())?;
    if !allow_dirty && let Some((first, more)) = changed.split_first() {
        let mut shown = first.clone();
        more.iter().take(SHOWN - 1).for_each(|path| shown += &format!(", {path}"));
        return Err(CommandError::usage(format!("the project is not as it is committed: {shown}"))
            .hint("commit or remove these, or use --allow-dirty: then the attestation says so"));
    }
    let repository = match &project.manifest.project.repository {
        Some(url) => url.value.to_string(),
        None => checkout::origin(config, &project.folder).ok_or_else(|| {
            CommandError::usage("nobody could find the sources: the project names no repository")
                .hint("write its address into run.toml, as `[project] repository`, or add a remote `origin`")
        })?,
    };
    Ok(Some(Source { repository: address(&repository), commit, is_clean: changed.is_empty() }))
}

/// Returns the address of a repository as a URL of the scheme `git+…`.
fn address(text: &str) -> String {
    if text.starts_with("git+") {
        return text.to_owned();
    }
    match text.split_once(':') {
        Some((_, rest)) if rest.starts_with("//") => format!("git+{text}"),
        // What ssh and git write as `git@host:path`.
        Some((host, path)) if !host.contains('/') => format!("git+ssh://{host}/{path}"),
        _ => format!("git+file://{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_becomes_a_url() {
        for (text, expect) in [
            ("https://git.example/shop", "git+https://git.example/shop"),
            ("git@git.example:team/shop.git", "git+ssh://git@git.example/team/shop.git"),
            ("/srv/git/shop", "git+file:///srv/git/shop"),
            ("git+https://git.example/shop", "git+https://git.example/shop"),
        ] {
            assert_eq!(address(text), expect);
        }
    }
}
