//! Gives a template its name, in paths and texts, in the spelling of each language.

use rules::manifest::{ComponentName, Language};

use super::File;

/// The name of every template.
const NAME: &str = "new-project";
/// The same name as an identifier.
const IDENTIFIER: &str = "new_project";

/// The keywords of WIT, which are names only behind a `%`.
const OF_WIT: [&str; 43] = [
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];

/// The words that cannot name a package or a module in Rust: keywords, and folders that Cargo makes.
const OF_RUST: [&str; 55] = [
    "abstract",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "struct",
    "super",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// The reasons why a project can't have a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unsuitable {
    /// The language reserves the name.
    Reserved(Language),
    /// The project is built with a package of that name.
    Taken,
}

/// Returns an error if the language reserves the name.
pub(super) fn check(language: Language, name: &ComponentName) -> Result<(), Unsuitable> {
    match language.as_str() {
        "rust" if OF_RUST.contains(&name.as_str()) => Err(Unsuitable::Reserved(language)),
        _ => Ok(()),
    }
}

/// Makes a file of a template into one of a project with this name.
pub(super) fn named((path, text): (&str, &str), name: &ComponentName) -> Result<File, Unsuitable> {
    let replaced = |text: &str| {
        let identifier = name.as_str().replace('-', "_");
        text.replace(NAME, name.as_str()).replace(IDENTIFIER, &identifier)
    };
    if path == "Cargo.lock" {
        return Ok(File { path: path.to_owned(), text: lockfile(text, name)? });
    }
    let text = match path.ends_with(".wit") && OF_WIT.contains(&name.as_str()) {
        true => text.replace(NAME, &format!("%{name}")),
        false => replaced(text),
    };
    let path = if path == "gitignore" { ".gitignore".to_owned() } else { replaced(path) };
    Ok(File { path, text })
}

/// Makes a Cargo.lock in which the project's own package has this name. Cargo wants packages ordered by name.
fn lockfile(text: &str, name: &ComponentName) -> Result<String, Unsuitable> {
    let line = |name: &str| format!("name = \"{name}\"\n");
    if text.contains(&line(name.as_str())) {
        return Err(Unsuitable::Taken);
    }
    let text = text.replace(&line(NAME), &line(name.as_str()));
    let mut parts = text.trim_end().split("\n\n[[package]]\n");
    let head = parts.next().unwrap_or_default();
    let mut packages: Vec<&str> = parts.collect();
    packages.sort_unstable();
    let packages = packages.iter().map(|package| format!("\n[[package]]\n{package}\n"));
    Ok(format!("{head}\n{}", packages.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::super::Template;
    use super::*;
    use crate::arguments::World;

    fn files(language: &str, world: World, name: &str) -> Result<Vec<File>, Unsuitable> {
        Template::of(language.parse().unwrap(), world).named(&name.parse().unwrap())
    }

    fn text(files: &[File], path: &str) -> String {
        let found = files.iter().find(|file| file.path == path);
        found.unwrap_or_else(|| panic!("no {path}")).text.clone()
    }

    #[test]
    fn no_file_keeps_the_templates_name() {
        for template in Template::all() {
            for File { path, text } in template.named(&"my-app".parse().unwrap()).unwrap() {
                for left in [NAME, IDENTIFIER] {
                    assert!(!path.contains(left) && !text.contains(left), "{template:?}: {path}");
                }
            }
        }
    }

    #[test]
    fn paths_and_texts_are_spelt_as_the_language_does() {
        let go = files("go", World::Lib, "my-app").unwrap();
        let greetings = text(&go, "exports/export_example_my_app_greetings/greetings.go");
        assert!(greetings.contains("package export_example_my_app_greetings\n"), "{greetings}");
        assert!(text(&go, "main.go").contains("\"example.com/my-app/exports/wit_exports\""));
        assert!(text(&go, "wit/world.wit").starts_with("package example:my-app@0.1.0;\n"));
        assert!(text(&go, ".gitignore").contains("/.run/\n"));
    }

    #[test]
    fn a_word_of_wit_is_marked_as_a_name() {
        let list = files("c", World::Lib, "list").unwrap();
        assert!(text(&list, "wit/world.wit").starts_with("package example:%list@0.1.0;\n"));
        assert!(text(&list, "run.toml").contains("name = \"list\""));
    }

    #[test]
    fn names_that_rust_has_for_itself_are_refused_there_alone() {
        let reserved = Unsuitable::Reserved("rust".parse().unwrap());
        assert_eq!(files("rust", World::Cli, "fn").unwrap_err(), reserved);
        assert_eq!(files("rust", World::Lib, "build").unwrap_err(), reserved);
        assert_eq!(files("rust", World::Http, "syn").unwrap_err(), Unsuitable::Taken);
        files("rust", World::Cli, "syn").unwrap();
        files("zig", World::Cli, "fn").unwrap();
    }

    #[test]
    fn a_lockfile_stays_in_cargos_order() {
        for name in ["aa", "hello", "zz"] {
            let lock = text(&files("rust", World::Http, name).unwrap(), "Cargo.lock");
            let names: Vec<&str> =
                lock.lines().filter_map(|line| line.strip_prefix("name = ")).collect();
            assert!(names.is_sorted(), "{names:?}");
            assert!(lock.contains(&format!("\n[[package]]\nname = \"{name}\"\n")), "{lock}");
        }
        // Everything else is as Cargo wrote it.
        let original = include_str!("projects/rust/http/Cargo.lock");
        assert_eq!(lockfile(original, &NAME.parse().unwrap()), Err(Unsuitable::Taken));
        let there_and_back = lockfile(original, &"zz".parse().unwrap()).unwrap();
        let there_and_back = there_and_back.replace("\"zz\"", "\"new-project\"");
        assert_eq!(there_and_back.len(), original.len());
    }
}
