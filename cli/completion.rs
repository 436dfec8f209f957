//! Answers a shell when the user presses the tab key, and makes the script with which the shell asks.
//!
//! The script is short: it calls this program with the words of the line, in the form of clap's own scripts.
//! So the answers have the flags and commands of this version of the program, and the components of the
//! present run.toml.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;
use rules::manifest::{self, Manifest, Overrides};
use rules::toolchain::{Catalogue, Lock};

use crate::arguments::{Arguments, Shell};
use crate::command_error::CommandError;

/// The environment variable with which a script asks; its value is the shell.
pub(crate) const VARIABLE: &str = "RUN_COMPLETE";

/// Returns the script that installs the completions in a shell.
pub(crate) fn script(shell: Shell) -> Result<String, CommandError> {
    let shells = Shells::builtins();
    let completer =
        shells.completer(shell.as_str()).expect("clap knows all shells that are offered");
    let mut script = Vec::new();
    // The script calls the program by its name in PATH, because packages install the script for all users.
    completer
        .write_registration(VARIABLE, "run", "run", "run", &mut script)
        .map_err(|source| cannot("make the completions").caused_by(&source))?;
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if matches!(shell, Shell::Zsh) {
        // A file in $fpath is also called to complete a line, and not only to register the completions.
        script.push_str(ZSH_FUNCTION);
    }
    Ok(script)
}

const ZSH_FUNCTION: &str =
    "\nif [[ ${funcstack[1]} == _run ]]; then _clap_dynamic_completer_run \"$@\"; fi\n";

/// Returns the answer to a script: the words that fit in the place of the last word. The line follows `--` in
/// `words`.
pub(crate) fn answer(
    shell: &str,
    words: impl IntoIterator<Item = OsString>,
    directory: &Path,
) -> Result<String, CommandError> {
    let shells = Shells::builtins();
    let shell = shells.completer(shell).ok_or_else(|| {
        CommandError::usage(format!("`{VARIABLE}` is `{shell}`, which is not a known shell"))
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

/// The names that are read from files.
#[derive(Debug, Clone, Default)]
struct Known {
    components: Vec<String>,
    tests: Vec<String>,
    pinned: Vec<String>,
}

impl Known {
    /// Reads the names of the project that a folder is in. A file that can't be read gives no names.
    fn of(directory: &Path) -> Self {
        let Ok(folder) = manifest::find_project(directory) else { return Self::default() };
        let manifest = Manifest::load(&folder, &Overrides::default()).0;
        let components = manifest.iter().flat_map(|manifest| &manifest.components);
        let tests = manifest.iter().flat_map(Manifest::all_tests);
        let lock = Lock::read(&folder.join(project::LOCK_FILE)).ok().flatten().unwrap_or_default();
        Self {
            components: components.map(|component| component.name.to_string()).collect(),
            tests: tests.map(|test| test.name.value.to_string()).collect(),
            pinned: lock.toolchains.into_keys().collect(),
        }
    }
}

/// Returns the folder that a line is about. `-C DIR` may be anywhere in it.
fn directory_of(words: &[OsString], current: &Path) -> PathBuf {
    let mut directory = current.to_owned();
    for pair in words.windows(2).filter(|pair| pair[0] == "-C" || pair[0] == "--directory") {
        directory = current.join(&pair[1]);
    }
    directory
}

/// Returns the definition of the command line, with names of components and toolchains as candidates.
fn command(known: &Known) -> Command {
    let command = with_names(Arguments::command().mut_subcommands(by_name), known);
    // Every command can also be written behind `v2`, which is removed before the line is parsed.
    let v2 = command.clone().name("v2").hide(true);
    command.subcommand(v2)
}

/// Hides the aliases of a command, which are still understood. Of all names of a command the library offers
/// only the first in alphabetical order, which would be `b` instead of `build`.
fn by_name(command: Command) -> Command {
    // The library needs names with a static lifetime. Leaking them is harmless, because the process ends
    // after the answer.
    let aliases: Vec<&'static str> =
        command.get_all_aliases().map(|alias| &*alias.to_owned().leak()).collect();
    command.visible_alias(None::<&str>).aliases(aliases).mut_subcommands(by_name)
}

fn with_names(command: Command, known: &Known) -> Command {
    let components = |command: Command| {
        let command = command.mut_arg("names", |arg| arg.add(candidates(&known.components)));
        command.mut_arg("components", |arg| arg.add(candidates(&known.components)))
    };
    let tests = |command: Command| {
        let names = [known.tests.as_slice(), &known.components].concat();
        command.mut_arg("names", |arg| arg.add(candidates(&names)))
    };
    let pinned =
        |command: Command| command.mut_arg("names", |arg| arg.add(candidates(&known.pinned)));
    let catalogue: Vec<String> = Catalogue::builtin().names().map(ToOwned::to_owned).collect();
    let upgrade =
        |command: Command| command.mut_arg("upgrade", |arg| arg.add(candidates(&catalogue)));
    ["build", "verify", "info"]
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, components))
        .mut_subcommand("test", tests)
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
