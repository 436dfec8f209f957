//! What a shell asks for when the user presses the tab key, and the script that makes it ask.
//!
//! The script is short: it calls this program with the words of the line, in the form that clap's own scripts have,
//! so the answers know flags and commands by their definition and components by the run.toml that is there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;
use rules::manifest::{self, Manifest, Overrides};
use rules::toolchain::{Catalogue, Lock};

use crate::arguments::{Arguments, Shell};
use crate::command_error::CommandError;

/// The variable by which a script says that it asks, and for which shell.
pub(crate) const VARIABLE: &str = "RUN_COMPLETE";

/// The script that a shell reads to learn of the completions.
pub(crate) fn script(shell: Shell) -> Result<String, CommandError> {
    let shells = Shells::builtins();
    let completer =
        shells.completer(shell.as_str()).expect("clap knows all shells that are offered");
    let mut script = Vec::new();
    // The program is the one in PATH, wherever that lies: packages install the script for all.
    completer
        .write_registration(VARIABLE, "run", "run", "run", &mut script)
        .map_err(|source| cannot("make the completions").caused_by(&source))?;
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if matches!(shell, Shell::Zsh) {
        // As a file of $fpath it is called to complete, and not only to say what does.
        script.push_str(ZSH_FUNCTION);
    }
    Ok(script)
}

const ZSH_FUNCTION: &str =
    "\nif [[ ${funcstack[1]} == _run ]]; then _clap_dynamic_completer_run \"$@\"; fi\n";

/// The answer to a script: what may stand in the place of the last of `words`, which come after `--`.
pub(crate) fn answer(
    shell: &str,
    words: impl IntoIterator<Item = OsString>,
    directory: &Path,
) -> Result<String, CommandError> {
    let shells = Shells::builtins();
    let shell = shells.completer(shell).ok_or_else(|| {
        CommandError::usage(format!("`{VARIABLE}` is `{shell}`, which is no shell that is known"))
    })?;
    let words: Vec<OsString> = words.into_iter().skip_while(|word| word != "--").skip(1).collect();
    let mut command = command(&Known::of(&directory_of(&words, directory)));
    command.build();
    let mut answer = Vec::new();
    shell
        .write_complete(&mut command, words, Some(directory), &mut answer)
        .map_err(|source| cannot("complete the line").caused_by(&source))?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn cannot(what: &str) -> CommandError {
    CommandError::environment(format!("cannot {what}"))
}

/// Names that stand in files.
#[derive(Debug, Clone, Default)]
struct Known {
    components: Vec<String>,
    pinned: Vec<String>,
}

impl Known {
    /// The names of the project that a folder is in. A file that can't be read has none.
    fn of(directory: &Path) -> Self {
        let Ok(folder) = manifest::find_project(directory) else { return Self::default() };
        let components = Manifest::load(&folder, &Overrides::default()).0.map(|manifest| {
            manifest.components.iter().map(|component| component.name.to_string()).collect()
        });
        let lock = Lock::read(&folder.join("run.lock.toml")).ok().flatten().unwrap_or_default();
        Self {
            components: components.unwrap_or_default(),
            pinned: lock.toolchains.into_keys().collect(),
        }
    }
}

/// The folder that a line is about: `-C DIR` may stand anywhere in it.
fn directory_of(words: &[OsString], current: &Path) -> PathBuf {
    let mut directory = current.to_owned();
    for pair in words.windows(2).filter(|pair| pair[0] == "-C" || pair[0] == "--directory") {
        directory = current.join(&pair[1]);
    }
    directory
}

/// The command line's definition with the names that fit.
fn command(known: &Known) -> Command {
    let command = with_names(Arguments::command().mut_subcommands(by_name), known);
    // Another spelling of everything, which is undone before the line is parsed.
    let v2 = command.clone().name("v2").hide(true);
    command.subcommand(v2)
}

/// A command whose other names are understood and not offered: of all names of a command, the library offers only the
/// first by alphabet, which is `b` instead of `build`.
fn by_name(command: Command) -> Command {
    // The library keeps names that last as long as the process, which ends with the answer.
    let aliases: Vec<&'static str> =
        command.get_all_aliases().map(|alias| &*alias.to_owned().leak()).collect();
    command.visible_alias(None::<&str>).aliases(aliases).mut_subcommands(by_name)
}

fn with_names(command: Command, known: &Known) -> Command {
    let components = |command: Command| {
        let command = command.mut_arg("names", |arg| arg.add(candidates(&known.components)));
        command.mut_arg("components", |arg| arg.add(candidates(&known.components)))
    };
    let pinned =
        |command: Command| command.mut_arg("names", |arg| arg.add(candidates(&known.pinned)));
    let catalogue: Vec<String> = Catalogue::builtin().names().map(ToOwned::to_owned).collect();
    let upgrade =
        |command: Command| command.mut_arg("upgrade", |arg| arg.add(candidates(&catalogue)));
    ["build", "verify", "info"]
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, components))
        .mut_subcommand("toolchain", |toolchain| {
            toolchain
                .mut_subcommand("verify", pinned)
                .mut_subcommand("remove", pinned)
                .mut_subcommand("sync", upgrade)
        })
}

fn candidates(names: &[String]) -> ArgValueCandidates {
    let names = names.to_vec();
    ArgValueCandidates::new(move || names.iter().map(CompletionCandidate::new).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_completed_is_an_argument() {
        command(&Known::default()).debug_assert();
    }

    #[test]
    fn the_folder_of_a_line_may_be_given() {
        let check = |line: &str, expect: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(directory_of(&words, Path::new("/here")), Path::new(expect), "{line}");
        };
        check("run build ", "/here");
        check("run -C there build ", "/here/there");
        check("run build --directory /there ", "/there");
    }
}
