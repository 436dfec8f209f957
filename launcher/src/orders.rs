//! The file that tells the launcher what to do.
//!
//! It is a list of texts that end with a NUL byte each, so the launcher uses them where they lie. The first byte of a text
//! says what it is. The file ends with an empty text.

use std::collections::BTreeMap;

/// A folder to make, with the rights of an ordinary one.
const FOLDER: char = 'm';
/// The folder that the command starts in.
const DIRECTORY: char = 'd';
/// A path at which the program may be.
const PROGRAM: char = 'p';
/// An argument. The first one is the name under which the program is started.
const ARGUMENT: char = 'a';
/// A variable with its value.
const VARIABLE: char = 'e';

/// The folders in which a program is looked up if the environment has no `PATH`.
const SEARCHED: &str = "/usr/bin:/bin";

/// The command that the launcher has to start, and the folders that it has to make.
#[derive(Clone, Copy, Debug)]
pub struct Orders<'a> {
    /// The program and its arguments. A program without `/` is looked up in the `PATH` of the environment.
    pub argv: &'a [String],
    /// The whole environment of the command.
    pub env: &'a BTreeMap<String, String>,
    /// The folder that the command starts in, below the root.
    pub cwd: &'a str,
    /// The declared outputs. The folders above them are made.
    pub outputs: &'a [String],
}

impl Orders<'_> {
    /// Writes the file. Returns `None` if a text has a NUL byte in it, or if there is no program.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut file = Vec::new();
        let mut add = |kind: char, text: &str| {
            file.push(kind as u8);
            file.extend_from_slice(text.as_bytes());
            file.push(0);
            !text.contains('\0')
        };
        let mut is_fine = true;
        for folder in folders(self.outputs) {
            is_fine &= add(FOLDER, &folder);
        }
        is_fine &= add(DIRECTORY, &format!("/{}", self.cwd));
        for path in self.programs()? {
            is_fine &= add(PROGRAM, &path);
        }
        for argument in self.argv {
            is_fine &= add(ARGUMENT, argument);
        }
        for (name, value) in self.env {
            is_fine &= add(VARIABLE, &format!("{name}={value}"));
        }
        file.push(0);
        is_fine.then_some(file)
    }

    /// Lists the paths at which the program may be, in the order in which `execvp` would try them.
    fn programs(&self) -> Option<Vec<String>> {
        let program = self.argv.first()?;
        if program.contains('/') {
            return Some(vec![program.clone()]);
        }
        let path = self.env.get("PATH").map_or(SEARCHED, String::as_str);
        Some(path.split(':').map(|folder| in_folder(folder, program)).collect())
    }
}

/// Returns the path of a program in a folder of `PATH`. An empty name stands for the folder that the command starts in.
fn in_folder(folder: &str, program: &str) -> String {
    if folder.is_empty() { format!("./{program}") } else { format!("{folder}/{program}") }
}

/// Lists the folders that have to be there before the command starts, each after the one above it.
fn folders(outputs: &[String]) -> Vec<String> {
    let mut folders = vec!["/tmp".to_owned(), "/out".to_owned()];
    for output in outputs {
        let path = format!("/out/{output}");
        let slashes = path.match_indices('/').skip(2).map(|(at, _)| &path[..at]);
        let fresh: Vec<String> = slashes
            .filter(|it| !folders.iter().any(|known| known == it))
            .map(str::to_owned)
            .collect();
        folders.extend(fresh);
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(argv: &[&str], path: Option<&str>, cwd: &str, outputs: &[&str]) -> Option<String> {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let (argv, outputs) = (own(argv), own(outputs));
        let env = path.map(|path| ("PATH".to_owned(), path.to_owned())).into_iter().collect();
        let file = Orders { argv: &argv, env: &env, cwd, outputs: &outputs }.encode()?;
        Some(String::from_utf8(file).unwrap().replace('\0', "|"))
    }

    #[test]
    fn the_file_has_everything_in_its_order() {
        let check = |argv: &[&str], path, cwd, outputs: &[&str], expect: Option<&str>| {
            assert_eq!(encoded(argv, path, cwd, outputs).as_deref(), expect);
        };
        let twice = Some("m/tmp|m/out|d/|p/bin/cc|p./cc|p/a/cc|acc|a|ePATH=/bin::/a||");
        check(&["cc", ""], Some("/bin::/a"), "", &[], twice);
        let outputs = ["a.o", "d/e/f", "d/e/g"];
        let made = Some("m/tmp|m/out|m/out/d|m/out/d/e|d/src|p./x|a./x||");
        check(&["./x"], None, "src", &outputs, made);
        check(&["x"], None, "", &[], Some("m/tmp|m/out|d/|p/usr/bin/x|p/bin/x|ax||"));
        check(&[], None, "", &[], None);
        check(&["/x", "a\0b"], None, "", &[], None);
    }
}
