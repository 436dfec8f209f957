//! Checks that the files of a crate use each other in one direction: no circle of files is large, and none
//! leads from one folder to another.
//!
//! A file uses another one if it names something that is defined there, in a `use` or in a path, even through
//! re-exports of a `mod.rs`. Not counted are tests beside the code (`#[cfg(test)]`, `tests.rs`), and things
//! that a file uses without naming them, such as the methods of a type.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Workspace, repository};

/// The sources of the crates that have no circle between folders. A crate that loses its circles is added
/// here. The number says how many files of one folder may use each other in a circle. In `cache` these are
/// the parts of `ContentStore`.
const WITHOUT_CIRCLES: [(&str, usize); 7] = [
    ("cache/src", 11),
    ("dev/src", 0),
    ("project/src", 0),
    ("registry/src", 0),
    ("rules/src", 9),
    ("runtime/src", 6),
    ("sandbox/src", 6),
];

#[test]
fn no_circle_of_files_is_large_or_leads_to_another_folder() {
    for (folder, largest) in WITHOUT_CIRCLES {
        let sources = Sources::read(&repository().join(folder));
        assert!(sources.modules.len() >= 5, "{folder} has {} files", sources.modules.len());
        for circle in sources.circles_of_files() {
            assert!(circle.len() <= largest, "files of {folder} use each other: {circle:#?}");
        }
        let circles = sources.circles_of_folders();
        assert!(circles.is_empty(), "folders of {folder} use each other: {circles:#?}");
    }
}

#[test]
fn circles_are_found_whatever_way_they_take() {
    let check = |files: &[(&str, &str)], of_files: &[&[&str]], of_folders: &[&[&str]]| {
        let workspace = Workspace::new();
        files.iter().for_each(|(path, text)| workspace.write(path, text));
        let sources = Sources::read(&workspace.path(""));
        let paths = |circle: &&[&str]| circle.iter().map(PathBuf::from).collect();
        let expect = |circles: &[&[&str]]| circles.iter().map(paths).collect::<Vec<Vec<_>>>();
        assert_eq!(sources.circles_of_files(), expect(of_files), "{files:?}");
        assert_eq!(sources.circles_of_folders(), expect(of_folders), "{files:?}");
    };
    let library = ("lib.rs", "mod a; mod b; pub use a::One;");
    let folder = ("a/mod.rs", "mod one; mod two; pub(crate) use one::One;");
    let one = ("a/one.rs", "use super::two::{self, Two as Other}; pub struct One;");
    // A file that only declares and exports modules is in no circle.
    check(&[library, folder, one, ("a/two.rs", "pub struct Two;")], &[], &[]);
    for back in
        ["pub struct Two(super::One);", "fn f() { crate::One::new() }", "use super::one::One as A;"]
    {
        check(&[library, folder, one, ("a/two.rs", back)], &[&["a/one.rs", "a/two.rs"]], &[]);
    }
    let all = &["a/mod.rs", "a/one.rs", "a/two.rs"];
    check(&[library, folder, one, ("a/two.rs", "use crate::a::*;")], &[all], &[]);
    // Texts, comments, tests and other crates are not uses.
    let words = "// super::One\n/* crate::One /* */ super::One */ const A: &str = r#\"\"crate::One\"#;\n\
                 const B: char = '\"'; fn f<'a>() { ::b::One; std::a::One } struct Two;\n\
                 #[cfg(test)]\nmod tests { use crate::One; }";
    check(&[library, folder, one, ("a/two.rs", words)], &[], &[]);
    let inner = "mod inner { use super::*; fn f() { super::super::two::Two } }";
    check(&[library, folder, ("a/one.rs", inner), ("a/two.rs", "struct Two;")], &[], &[]);
    let back = ("a/two.rs", "use super::one::One; struct Two;");
    check(&[library, folder, ("a/one.rs", inner), back], &[&["a/one.rs", "a/two.rs"]], &[]);
    let above = ("a/mod.rs", "mod one; fn top() { one::f() }");
    let below = ("a/one.rs", "pub fn f() { super::top() }");
    check(&[library, above, below], &[&["a/mod.rs", "a/one.rs"]], &[]);
    // Two files of one folder lead out of it and back.
    let out = ("a/one.rs", "use crate::b::B; struct One;");
    let back = ("b.rs", "use crate::a::two::Two; struct B;");
    check(&[library, folder, out, ("a/two.rs", "struct Two;"), back], &[], &[&["a", "b.rs"]]);
}

/// The modules of a crate, by their names.
struct Sources {
    modules: BTreeMap<Vec<String>, Module>,
}

struct Module {
    file: PathBuf,
    /// The meanings of the names that the file imports, as paths.
    imports: BTreeMap<String, Vec<String>>,
    /// The paths in the file that are not imports.
    paths: Vec<Vec<String>>,
}

type Uses = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

impl Sources {
    fn read(root: &Path) -> Self {
        let mut modules = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "rs") {
                    let file = path.strip_prefix(root).unwrap().to_owned();
                    let mut name: Vec<String> = file.with_extension("").iter().map(text).collect();
                    name.pop_if(|last| ["lib", "main", "mod"].contains(&last.as_str()));
                    if !name.iter().any(|part| part == "tests") {
                        let source = fs::read_to_string(&path).unwrap();
                        modules.insert(name, Module::parse(file, &source));
                    }
                }
            }
        }
        Self { modules }
    }

    fn circles_of_files(&self) -> Vec<Vec<PathBuf>> {
        circles(&self.uses())
    }

    /// Returns the circles among the entries of one folder that contain at least one folder. A folder uses
    /// what its files use.
    fn circles_of_folders(&self) -> Vec<Vec<PathBuf>> {
        let uses = self.uses();
        let folders: BTreeSet<&Path> =
            uses.keys().flat_map(|file| file.ancestors().skip(1)).collect();
        let mut found = Vec::new();
        for folder in folders {
            let entry = |file: &Path| -> Option<PathBuf> {
                let name = file.strip_prefix(folder).ok()?.iter().next()?;
                Some(folder.join(name))
            };
            let mut between = Uses::new();
            for (file, used) in &uses {
                let Some(file) = entry(file) else { continue };
                let used = used.iter().filter_map(|used| entry(used));
                between.entry(file.clone()).or_default().extend(used.filter(|used| *used != file));
            }
            let has_folder =
                |circle: &Vec<PathBuf>| circle.iter().any(|it| it.extension().is_none());
            found.extend(circles(&between).into_iter().filter(has_folder));
        }
        found
    }

    /// Returns the files that each file uses.
    fn uses(&self) -> Uses {
        let uses = |(name, module): (&Vec<String>, &Module)| {
            let imports = module.imports.values().filter_map(|path| self.imported(name, path, 0));
            let paths = module.paths.iter().filter_map(|path| self.named(name, path));
            let used = imports.chain(paths).filter(|file| *file != module.file);
            (module.file.clone(), used.map(Path::to_owned).collect())
        };
        self.modules.iter().map(uses).collect()
    }

    /// Returns the file that defines what a path in a module means, or `None` if the path means a module or
    /// something of another crate.
    fn named(&self, module: &[String], path: &[String]) -> Option<&Path> {
        match self.modules[module].imports.get(&path[0]) {
            Some(import) => self.imported(module, &[import, &path[1..]].concat(), 0),
            None => self.imported(module, path, 0),
        }
    }

    /// Returns the same file for a path as an import of the module writes it. `depth` counts the
    /// imports on the way.
    fn imported(&self, module: &[String], path: &[String], depth: usize) -> Option<&Path> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.inside(&[], rest, depth),
            "self" => self.inside(module, rest, depth),
            "super" => {
                let (_, above) = module.split_last()?;
                match rest.first().is_some_and(|next| next == "super") {
                    true => self.imported(above, rest, depth),
                    false => self.inside(above, rest, depth),
                }
            }
            _ if self.modules.contains_key(&[module, &path[..1]].concat()) => {
                self.inside(module, path, depth)
            }
            _ => None,
        }
    }

    /// Returns the same file for a path that begins at a module.
    fn inside(&self, module: &[String], path: &[String], depth: usize) -> Option<&Path> {
        let (first, rest) = path.split_first()?;
        let below = [module, &path[..1]].concat();
        if self.modules.contains_key(&below) {
            return self.inside(&below, rest, depth);
        }
        let here = self.modules.get(module)?;
        match here.imports.get(first) {
            // The limit ends the search if imports lead in a circle.
            Some(import) if depth < 16 => {
                self.imported(module, &[import, rest].concat(), depth + 1)
            }
            _ => Some(&here.file),
        }
    }
}

/// Returns the sets of more than one file in which each file uses all others, directly or through others of
/// the set.
fn circles(uses: &Uses) -> Vec<Vec<PathBuf>> {
    let reached: BTreeMap<_, _> = uses.keys().map(|file| (file, reached(uses, file))).collect();
    let mut found = BTreeSet::new();
    for (file, others) in reached.iter().filter(|(file, others)| others.contains(*file)) {
        let circle = others.iter().filter(|other| reached[**other].contains(*file));
        found.insert(circle.map(|other| (*other).clone()).collect());
    }
    found.into_iter().collect()
}

/// Returns the files that a file uses, directly or through others.
fn reached<'a>(uses: &'a Uses, file: &'a PathBuf) -> BTreeSet<&'a PathBuf> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![file]);
    while let Some(file) = next.pop() {
        next.extend(uses.get(file).into_iter().flatten().filter(|used| seen.insert(*used)));
    }
    seen
}

impl Module {
    fn parse(file: PathBuf, source: &str) -> Self {
        let words = without_inline_modules(without_tests(words(source)));
        let mut module = Self { file, imports: BTreeMap::new(), paths: Vec::new() };
        let mut at = 0;
        while at < words.len() {
            let path_begins = words.get(at + 1).is_some_and(|next| next == "::")
                && is_name(&words[at])
                && (at == 0 || words[at - 1] != "::");
            // `impl Trait + use<'a>` imports nothing.
            if words[at] == "use" && words[at + 1] != "<" {
                at = module.import(&words, at + 1, &[]);
            } else if path_begins {
                let mut path = vec![words[at].clone()];
                at += 1;
                while words[at] == "::" && is_name(&words[at + 1]) {
                    path.push(words[at + 1].clone());
                    at += 2;
                }
                module.paths.push(path);
            } else {
                at += 1;
            }
        }
        module
    }

    /// Reads one part of a `use`, and returns the position behind it.
    fn import(&mut self, words: &[String], mut at: usize, before: &[String]) -> usize {
        let mut path = before.to_vec();
        loop {
            match words[at].as_str() {
                "::" => at += 1,
                "{" => {
                    at += 1;
                    while words[at] != "}" {
                        at = self.import(words, at, &path);
                        at += usize::from(words[at] == ",");
                    }
                    return at + 1;
                }
                "," | ";" | "}" => break,
                "as" => {
                    self.imports.insert(words[at + 1].clone(), path);
                    return at + 2;
                }
                // `self` means the module itself, whose name is already the end of the path.
                "self" if !path.is_empty() => at += 1,
                name => {
                    path.push(name.to_owned());
                    at += 1;
                }
            }
        }
        match path.last() {
            // `*` has no name of its own and takes everything that the module defines.
            Some(name) if name == "*" => self.paths.push(path),
            Some(name) => _ = self.imports.insert(name.clone(), path),
            None => {}
        }
        at
    }
}

fn text(name: &std::ffi::OsStr) -> String {
    name.to_str().unwrap().to_owned()
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Returns the words and signs of a source, without comments and without the content of string literals.
fn words(source: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let is_part = |char: char| char.is_alphanumeric() || char == '_';
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if let Some(length) = raw_text(rest) {
            length
        } else if first == '"' {
            1 + quoted(&rest[1..], '"')
        } else if let Some(length) = character(rest) {
            length
        } else {
            let length = match rest.find(|char| !is_part(char)).unwrap_or(rest.len()) {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                length => length,
            };
            let word = &rest[..length];
            words.extend((!word.trim().is_empty()).then(|| word.to_owned()));
            length
        };
        rest = &rest[length..];
    }
    words
}

/// Returns the length of a comment, including nested ones.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    loop {
        match &text[at..] {
            rest if rest.starts_with("/*") => (depth, at) = (depth + 1, at + 2),
            rest if rest.starts_with("*/") => (depth, at) = (depth - 1, at + 2),
            rest => at += rest.chars().next().map_or(0, char::len_utf8),
        }
        if depth == 0 {
            return at;
        }
    }
}

/// Returns the length of a raw string literal such as `r#"…"#`.
fn raw_text(text: &str) -> Option<usize> {
    let letters = ["r", "br", "cr"].iter().find(|letters| {
        let rest = text.strip_prefix(**letters);
        rest.is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    let signs = text[letters.len()..].find('"')?;
    let begin = letters.len() + signs + 1;
    let end = format!("\"{}", "#".repeat(signs));
    Some(begin + text[begin..].find(&end)? + end.len())
}

/// Returns the length of the text up to a quote, including the quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => _ = chars.next(),
            char if char == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the length of a character literal. A lifetime is not one.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let mut chars = inner.chars();
    let (first, second) = (chars.next()?, chars.next()?);
    (first == '\\' || second == '\'').then(|| 1 + quoted(inner, '\''))
}

/// Leaves out the item after each `#[cfg(test)]`, up to the end of its braces or its semicolon.
fn without_tests(words: Vec<String>) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if !words[at..].iter().map(String::as_str).take(MARK.len()).eq(MARK) {
            kept.push(words[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0;
        loop {
            let word = words[at].as_str();
            depth += i32::from(word == "{") - i32::from(word == "}");
            at += 1;
            if depth == 0 && (word == "}" || word == ";") {
                break;
            }
        }
    }
    kept
}

/// Treats the content of modules inside a file as a part of that file: their `super` is the file.
fn without_inline_modules(words: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut depth = 0;
    let mut modules = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        match word.as_str() {
            "{" => {
                depth += 1;
                let begins = kept.len() >= 2 && kept[kept.len() - 2] == "mod";
                modules.extend(begins.then_some(depth));
            }
            "}" => {
                modules.pop_if(|module| *module == depth);
                depth -= 1;
            }
            "super" if !modules.is_empty() && kept.last().is_none_or(|last| last != "::") => {
                let sign = words.next_if(|next| next == "::");
                match words.next_if(|next| sign.is_some() && next == "super") {
                    Some(above) => kept.push(above),
                    None => {
                        kept.push("self".to_owned());
                        kept.extend(sign);
                    }
                }
                continue;
            }
            _ => {}
        }
        kept.push(word);
    }
    kept
}
