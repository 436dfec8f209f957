//! Resolves names of modules that a tsconfig.json maps to files: `paths` and `baseUrl`.
//!
//! esbuild and tsc resolve these names themselves. This file serves only the hints about modules that they
//! did not find, so it ignores what it can't read.

use std::path::Path;

use serde_json::{Map, Value};

use super::package::{TSCONFIG, read_text};
use super::tsconfig;
use crate::path::ProjectPath;

/// The largest number of configurations in a chain of `extends`; longer chains are cut off. Real ones are
/// shorter.
const DEEPEST: usize = 16;

/// The files that a name stands for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Alias {
    /// The path of the configuration that maps the name.
    pub(super) configuration: String,
    /// The files of the project, without their endings if the configuration has none.
    pub(super) files: Vec<ProjectPath>,
    /// The paths that lead out of the project, as they are written.
    pub(super) outside: Vec<String>,
}

/// Finds what `name` stands for in the file `importer`. `None` if no configuration maps it.
pub(super) fn find(project: &Path, importer: &ProjectPath, name: &str) -> Option<Alias> {
    let mut candidates = importer.ancestors().map(|folder| folder.join(TSCONFIG));
    let configuration = candidates.find(|path| path.on_disk(project).is_file())?;
    let options = Options::of(project, &configuration, DEEPEST);
    let mut alias = Alias { configuration: configuration.to_string(), ..Alias::default() };
    for (folder, target) in options.targets(name) {
        match folder.resolve(&target) {
            Ok(file) => alias.files.push(file),
            Err(_) => alias.outside.push(target),
        }
    }
    (!alias.files.is_empty() || !alias.outside.is_empty()).then_some(alias)
}

/// The options of a configuration that map names, each with the folder that its paths start at.
#[derive(Debug, Default)]
struct Options {
    paths: Option<(ProjectPath, Map<String, Value>)>,
    base: Option<(ProjectPath, String)>,
}

impl Options {
    /// Reads the options of a configuration and of those that it extends, as far as they are files of the
    /// project.
    fn of(project: &Path, configuration: &ProjectPath, depth: usize) -> Self {
        let text = read_text(project, configuration).ok().flatten();
        let Some(Ok(Value::Object(mut all))) =
            text.map(|text| serde_json::from_str(&tsconfig::plain(&text)))
        else {
            return Self::default();
        };
        let folder = configuration.parent();
        let mut options = Self::default();
        let extended: Vec<Value> = match all.remove("extends") {
            Some(Value::Array(several)) => several,
            one => one.into_iter().collect(),
        };
        let extended = extended.iter().filter_map(Value::as_str).filter(|_| depth > 0);
        for name in extended.filter(|name| name.starts_with('.')) {
            let file = [name.to_owned(), format!("{name}.json")].into_iter();
            let mut file = file.filter_map(|name| folder.resolve(&name).ok());
            if let Some(file) = file.find(|file| file.on_disk(project).is_file()) {
                options.overridden_by(Self::of(project, &file, depth - 1));
            }
        }
        if let Some(Value::Object(mut own)) = all.remove("compilerOptions") {
            let paths = match own.remove("paths") {
                Some(Value::Object(paths)) => Some((folder.clone(), paths)),
                _ => None,
            };
            let base = own.get("baseUrl").and_then(Value::as_str);
            let base = base.map(|base| (folder, base.to_owned()));
            options.overridden_by(Self { paths, base });
        }
        options
    }

    fn overridden_by(&mut self, other: Self) {
        self.paths = other.paths.or(self.paths.take());
        self.base = other.base.or(self.base.take());
    }

    /// Returns the paths that a name may stand for, each with the folder that it starts at.
    fn targets(&self, name: &str) -> Vec<(ProjectPath, String)> {
        let base = self.base.as_ref().map(|(folder, base)| (folder, base.trim_end_matches('/')));
        let from = |folder: &ProjectPath, target: &str| match base {
            Some((folder, base)) => (folder.clone(), format!("{base}/{target}")),
            None => (folder.clone(), target.to_owned()),
        };
        if let Some((folder, paths)) = &self.paths
            && let Some((pattern, matched)) = longest_match(paths, name)
        {
            let targets = paths[pattern].as_array().into_iter().flatten().filter_map(Value::as_str);
            return targets.map(|target| from(folder, &target.replacen('*', matched, 1))).collect();
        }
        base.map(|(folder, _)| vec![from(folder, name)]).unwrap_or_default()
    }
}

/// Returns the pattern that a name matches, and the text that its star stands for. Of several patterns, the
/// one with the longest text before its star is taken.
fn longest_match<'a, 'b>(
    paths: &'a Map<String, Value>,
    name: &'b str,
) -> Option<(&'a str, &'b str)> {
    let matching = paths.keys().filter_map(|pattern| match pattern.split_once('*') {
        None => (pattern == name).then_some((usize::MAX, pattern.as_str(), "")),
        Some((start, end)) => {
            let matched = name.strip_prefix(start)?.strip_suffix(end)?;
            Some((start.len(), pattern.as_str(), matched))
        }
    });
    matching.max_by_key(|(length, ..)| *length).map(|(_, pattern, matched)| (pattern, matched))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], name: &str, expect: Option<(&[&str], &[&str])>) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let found = find(dir.path(), &ProjectPath::parse("app/src/app.ts").unwrap(), name);
        let found = found.map(|alias| {
            (alias.files.iter().map(ToString::to_string).collect::<Vec<_>>(), alias.outside)
        });
        let owned = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(found, expect.map(|(files, outside)| (owned(files), owned(outside))), "{name}");
    }

    #[test]
    fn paths_start_at_the_configuration_or_at_its_base() {
        let own = r#"{ "compilerOptions": { // names
            "paths": { "@lib/*": ["../lib/*"], "@lib/one": ["./one.ts"], "up": ["../../up.ts"], },
        }, }"#;
        let own = [("app/tsconfig.json", own)];
        check(&own, "@lib/w", Some((&["lib/w"], &[])));
        check(&own, "@lib/one", Some((&["app/one.ts"], &[])));
        check(&own, "up", Some((&[], &["../../up.ts"])));
        check(&own, "zod", None);
        let based =
            r#"{ "compilerOptions": { "baseUrl": "..", "paths": { "~*": ["lib/*", "more/*"] } } }"#;
        let based = [("app/tsconfig.json", based)];
        check(&based, "~w", Some((&["lib/w", "more/w"], &[])));
        check(&based, "lib/w", Some((&["lib/w"], &[])));
        check(&[], "@lib/w", None);
    }

    #[test]
    fn configurations_that_are_extended_count() {
        let base = (
            "tsconfig.base.json",
            r#"{ "compilerOptions": { "paths": { "@lib/*": ["lib/*"] } } }"#,
        );
        let extends = |text: &'static str| [base, ("app/tsconfig.json", text)];
        check(&extends(r#"{ "extends": "../tsconfig.base" }"#), "@lib/w", Some((&["lib/w"], &[])));
        let list = r#"{ "extends": ["@tsconfig/node20", "../tsconfig.base.json"] }"#;
        check(&extends(list), "@lib/w", Some((&["lib/w"], &[])));
        let other =
            r#"{ "extends": "../tsconfig.base", "compilerOptions": { "paths": { "a": ["b"] } } }"#;
        check(&extends(other), "@lib/w", None);
        check(&[("app/tsconfig.json", r#"{ "extends": "./tsconfig.json" }"#)], "a", None);
        check(&[("app/tsconfig.json", "{")], "a", None);
    }
}
