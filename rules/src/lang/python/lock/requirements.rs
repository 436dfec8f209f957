//! Reads `requirements.txt` with hashes, as pip-compile and uv write it.
//!
//! Source: pip's documentation, "Requirements File Format". A backslash at its end continues a line, and `-r`
//! includes another file of the project. Options that say where packages are go to pip, each with one word as
//! its value, so that none can bring in another option. Whatever needs a build, or comes from outside an
//! index, is refused.

use std::collections::BTreeSet;

use super::super::error::PythonError;
use super::super::marker::{self, Selected};
use super::super::pyproject::{self, PyProject};
use super::super::requirement::{Requirement, Versions, normalise};
use super::{IndexOption, LocalPackage, Lock, LockedPackage, each_once, is_tool, sha256};
use crate::path::ProjectPath;

/// The name of the file.
pub(super) const FILE: &str = "requirements.txt";

/// The options with a value that say where packages are, and the long form of each.
const INDEX: [(&str, &str); 5] = [
    ("-i", "--index-url"),
    ("--index-url", "--index-url"),
    ("--extra-index-url", "--extra-index-url"),
    ("-f", "--find-links"),
    ("--find-links", "--find-links"),
];
/// The options without a value that say where packages are.
const INDEX_FLAGS: [&str; 2] = ["--no-index", "--pre"];
/// The options with a value that are ignored. Most change nothing about packages that are pinned. The last
/// one would switch off the check of certificates, which a checkout may not decide.
const IGNORED: [&str; 6] =
    ["-c", "--constraint", "--only-binary", "--no-binary", "--use-feature", "--trusted-host"];
/// The options without a value that are ignored, because they change nothing about packages that are pinned.
const FLAGS: [&str; 2] = ["--prefer-binary", "--require-hashes"];

/// The largest number of files that may include each other in a chain.
const DEEPEST: usize = 50;

/// The function that reads a file of the project.
type Read<'a> = dyn Fn(&ProjectPath) -> Result<Option<String>, PythonError> + 'a;

/// Reads the packages of `lock` and of the files that it includes.
pub(super) fn parse(text: &str, lock: &ProjectPath, read: &Read<'_>) -> Result<Lock, PythonError> {
    let (seen, packages, index) = Default::default();
    let (local, left_out) = Default::default();
    let mut reader = Reader { lock, read, seen, depth: 0, packages, local, left_out, index };
    reader.file(text, lock)?;
    let packages = each_once(lock, reader.packages)?;
    Ok(Lock {
        file: lock.clone(),
        folder: lock.parent(),
        packages,
        local: reader.local.into_iter().collect(),
        left_out: reader.left_out.into_iter().collect(),
        index: reader.index,
    })
}

struct Reader<'a> {
    lock: &'a ProjectPath,
    read: &'a Read<'a>,
    seen: BTreeSet<ProjectPath>,
    /// The number of files that are being read, each included by the one before.
    depth: usize,
    packages: Vec<LockedPackage>,
    local: BTreeSet<LocalPackage>,
    left_out: BTreeSet<String>,
    index: Vec<IndexOption>,
}

/// A line, its file, and the number of its first line there.
struct Line<'a> {
    file: &'a ProjectPath,
    number: usize,
    text: String,
}

impl Reader<'_> {
    fn file(&mut self, text: &str, file: &ProjectPath) -> Result<(), PythonError> {
        if !self.seen.insert(file.clone()) {
            return Ok(());
        }
        for (number, text) in lines(text) {
            let line = Line { file, number, text };
            match line.text.starts_with('-') {
                true => self.option(&line)?,
                false => {
                    let package = self.requirement(&line)?;
                    self.packages.extend(package);
                }
            }
        }
        Ok(())
    }

    fn option(&mut self, line: &Line<'_>) -> Result<(), PythonError> {
        let (option, value) = match line.text.split_once([' ', '=']) {
            Some((option, value)) => (option, value.trim()),
            None => (line.text.as_str(), ""),
        };
        match option {
            "-r" | "--requirement" => self.include(line, value),
            "-e" | "--editable" => self.folder(line, value),
            _ if IGNORED.contains(&option) || FLAGS.contains(&option) => Ok(()),
            _ => self.index_option(line, option, value),
        }
    }

    fn index_option(
        &mut self,
        line: &Line<'_>,
        option: &str,
        value: &str,
    ) -> Result<(), PythonError> {
        let with_value = INDEX.iter().find(|(short, _)| *short == option).map(|(_, long)| *long);
        let flag = INDEX_FLAGS.into_iter().find(|flag| *flag == option);
        let is_word = |c: char| !c.is_whitespace() && !c.is_control() && !"\"'\\".contains(c);
        let name = match (with_value, flag) {
            (Some(name), _) if !value.is_empty() && value.chars().all(is_word) => name,
            (_, Some(name)) if value.is_empty() => name,
            (None, None) => return Err(line.malformed(format!("`{option}` is not understood"))),
            _ => {
                let words = if flag.is_some() { "no value" } else { "one word as its value" };
                return Err(line.malformed(format!("`{option}` has {words}, on a line of its own")));
            }
        };
        self.index.push(IndexOption { name, value: value.to_owned() });
        Ok(())
    }

    fn include(&mut self, line: &Line<'_>, path: &str) -> Result<(), PythonError> {
        let outside = |error: crate::path::PathError| line.malformed(error.to_string());
        let path = line.file.parent().resolve(path).map_err(outside)?;
        if self.depth == DEEPEST {
            let problem = format!("more than {DEEPEST} files include each other in a chain");
            return Err(line.malformed(problem));
        }
        match (self.read)(&path)? {
            Some(text) => {
                self.depth += 1;
                let read = self.file(&text, &path);
                self.depth -= 1;
                read
            }
            None => Err(line.malformed(format!("there is no `{path}`"))),
        }
    }

    /// Adds a package that is a folder of the project. pip resolves paths from the folder that it is called
    /// in, which by custom is that of the outermost file.
    fn folder(&mut self, line: &Line<'_>, place: &str) -> Result<(), PythonError> {
        let marker = place.split_once(';').map(|(_, marker)| marker.trim());
        let holds = marker::holds(marker, &Selected::default());
        if !holds.map_err(|problem| line.malformed(problem))? {
            return Ok(());
        }
        let path = place.strip_prefix("file:").unwrap_or(place);
        let path = path.split(['[', ';', ' ']).next().unwrap_or_default();
        let is_url = place.contains("://") || path.ends_with(".whl") || path.ends_with(".gz");
        match self.lock.parent().resolve(path) {
            Ok(folder) if !is_url => {
                let file = folder.join(pyproject::FILE);
                let text = (self.read)(&file)?;
                let manifest = text.map(|text| PyProject::parse(&text, file)).transpose()?;
                let name = manifest.flatten().and_then(|manifest| manifest.name);
                self.local.insert(LocalPackage { folder, name: name.as_deref().map(normalise) });
                Ok(())
            }
            Err(_) if !is_url => Err(line.not_from_index(place, "a folder outside of the project")),
            _ => Err(line.not_from_index(place, "a file or a URL")),
        }
    }

    /// Returns the package of a line. `None` if it is for other interpreters or is not a package from an
    /// index.
    fn requirement(&mut self, line: &Line<'_>) -> Result<Option<LockedPackage>, PythonError> {
        let end = line.text.find(" --").unwrap_or(line.text.len());
        let (specifier, options) = line.text.split_at(end);
        let specifier = specifier.trim();
        let is_place = specifier.contains("://") && !specifier.contains('@')
            || specifier.starts_with(['.', '/'])
            || specifier.ends_with(".whl");
        if is_place {
            return self.folder(line, specifier).map(|()| None);
        }
        let requirement = Requirement::parse(specifier).map_err(|p| line.malformed(p))?;
        let holds = marker::holds(requirement.marker.as_deref(), &Selected::default());
        if !holds.map_err(|problem| line.malformed(problem))? {
            return Ok(None);
        }
        if is_tool(&requirement.name) {
            self.left_out.insert(requirement.name);
            return Ok(None);
        }
        if let Versions::Url(url) = &requirement.versions {
            return Err(line.not_from_index(&requirement.name, &format!("`{url}`")));
        }
        let hashes = hashes(options);
        match requirement.pinned() {
            Some(version) if !hashes.is_empty() => Ok(Some(LockedPackage {
                name: requirement.name,
                version,
                hashes,
                platforms: Vec::new(),
            })),
            _ => Err(PythonError::Unpinned {
                place: line.place(),
                requirement: specifier.to_owned(),
                lock: self.lock.clone(),
            }),
        }
    }
}

impl Line<'_> {
    fn place(&self) -> String {
        format!("{}:{}", self.file, self.number)
    }

    fn malformed(&self, problem: String) -> PythonError {
        PythonError::Malformed { path: self.place(), problem }
    }

    fn not_from_index(&self, package: &str, origin: &str) -> PythonError {
        let (package, origin) = (package.to_owned(), origin.to_owned());
        PythonError::NotFromIndex { place: self.place(), package, origin }
    }
}

/// Returns the lines with content, each with the number of its first line. Lines are joined where one ends in
/// a backslash, and comments are removed.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let is_comment = line.trim_start().starts_with('#');
        let goes_on = !is_comment && line.ends_with('\\');
        let content = without_comment(line.strip_suffix('\\').unwrap_or(line)).trim();
        match found.last_mut() {
            Some((_, last)) if open => {
                last.push(' ');
                last.push_str(content);
            }
            _ => found.push((index + 1, content.to_owned())),
        }
        open = goes_on;
    }
    found.retain(|(_, line)| !line.trim().is_empty());
    found
}

/// Returns the line without its comment, which begins with `#` at the line's start or after a space.
fn without_comment(line: &str) -> &str {
    let begins =
        |(at, _): &(usize, &str)| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices('#').find(begins).map_or(line, |(at, _)| &line[..at])
}

/// Returns the SHA-256s among the options of a line. Other algorithms pin nothing here.
fn hashes(options: &str) -> BTreeSet<String> {
    let words = options.replace("--hash ", "--hash=");
    let hashes = words.split_whitespace().filter_map(|word| word.strip_prefix("--hash="));
    hashes.filter(|hash| hash.starts_with("sha256:")).filter_map(sha256).collect()
}
