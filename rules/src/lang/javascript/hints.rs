//! Hints about failures of esbuild, tsc and jco, in terms of the project.
//!
//! This file knows the wording of these tools' messages, and what they can't know of components. It knows
//! nothing of planning.

use std::collections::BTreeSet;
use std::path::Path;

use super::alias::{self, Alias};
use crate::lang::rule::ToolOutput;
use crate::path::ProjectPath;

/// Returns hints about the messages in `output`. The files that a tool may have looked for are added to its
/// text.
pub(super) fn hints(output: &mut ToolOutput<'_>) -> Vec<String> {
    let mut hints: BTreeSet<String> = BTreeSet::new();
    let mut looked_for = Vec::new();
    for missing in unresolved(&output.text) {
        let alias = output.project.and_then(|project| missing.alias(project));
        match &alias {
            Some(alias) => hints.extend(missing.outside(alias)),
            None => hints.extend(missing.explained(&output.text).map(str::to_owned)),
        }
        looked_for.extend(candidates(&missing, alias.as_ref()));
    }
    let known = KNOWN.iter().filter(|(signs, _)| output.has(signs));
    hints.extend(known.map(|(_, hint)| (*hint).to_owned()));
    if !looked_for.is_empty() {
        // Other code searches the output for such lines and tells of files that the project has but the
        // action does not see.
        output.text.push_str(&format!("\ncannot find {}\n", looked_for.join(" ")));
    }
    hints.into_iter().collect()
}

/// The texts by which a known failure is recognised, and the hint for it.
const KNOWN: [(&[&str], &str); 6] = [
    (
        &["Error loading module \"http"],
        "nothing is downloaded while a component is made: a module is a file of the project or of a \
         package in package-lock.json",
    ),
    (
        &[
            "calls what is there only when the component runs",
            "can only be used during request handling, not during initialization",
            "bad_optional_access was thrown",
        ],
        "the top level runs once, while the component is made, without what its world imports, random numbers, timers and \
         requests among it: do in a function what has to be done in each run",
    ),
    (
        &["error TS7016"],
        "a package without types of its own has them in `@types/NAME`, if `npm install --package-lock-only --save-dev \
         @types/NAME` finds that; else `declare module \"NAME\";` in a file `types.d.ts` of the package makes it `any`",
    ),
    (&["fits-world.ts"], "what `source` exports has other types than its WIT world asks for"),
    (
        &["does not export a \"incomingHandler\""],
        "a component that serves requests has `export const incomingHandler = { handle(request, response) { … } }`; \
         a listener for `fetch` or an object with `fetch` is not called",
    ),
    (
        &[
            "has been removed. Please remove it from your configuration",
            "error TS5108",
            "error TS5102",
        ],
        "TypeScript 7 left out what this configuration has: `run toolchain sync --upgrade typescript@5.9.3` pins the \
         compiler before it for the project, and `check = false` in the component switches the check off",
    ),
];

const OF_NODE: &str =
    "the modules of Node.js are not there in a component: what it may use, its WIT world imports";

/// A module that a tool did not find.
#[derive(Debug, PartialEq, Eq)]
struct Unresolved<'a> {
    name: &'a str,
    /// The file that imports it, by the path in the tool's message.
    importer: Option<&'a str>,
}

/// Returns the modules that esbuild and tsc did not find. esbuild writes `Could not resolve "NAME"` and below
/// it `FILE:1:2:`. tsc writes `FILE:1:2 - error TS2307: Cannot find module 'NAME'`, and error TS2688 for
/// `types` of a configuration.
fn unresolved(text: &str) -> Vec<Unresolved<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some(name) = between(line, "Could not resolve \"", '"') {
            let place = lines[at + 1..].iter().find(|line| !line.trim().is_empty());
            found.push(Unresolved { name, importer: place.and_then(|place| file(place)) });
        } else if let Some((place, message)) = line.split_once(" - error TS2307")
            && let Some(name) = between(message, "Cannot find module '", '\'')
        {
            found.push(Unresolved { name, importer: file(place) });
        } else if let Some((_, message)) = line.split_once("error TS2688")
            && let Some(name) = between(message, "type definition file for '", '\'')
        {
            // The configuration that names it stands in a line below.
            let places = lines[at + 1..].iter().filter_map(|line| line.split_once(" - "));
            found.push(Unresolved {
                name,
                importer: places.filter_map(|(place, _)| file(place)).next(),
            });
        }
    }
    found
}

fn between<'a>(line: &'a str, before: &str, after: char) -> Option<&'a str> {
    line.split_once(before)?.1.split_once(after).map(|(name, _)| name)
}

/// Returns the file of a place like `FILE:1:2:`.
fn file(place: &str) -> Option<&str> {
    let place = place.trim().trim_end_matches(':');
    let mut parts = place.rsplitn(3, ':');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (is_number(parts.next()?) && is_number(parts.next()?)).then(|| parts.next()).flatten()
}

impl Unresolved<'_> {
    /// Returns true if the name is a path to a file and not the name of a package.
    fn is_file(&self) -> bool {
        self.name.starts_with(['.', '/'])
    }

    /// Returns what the name stands for by a configuration of the project, if it is such an alias.
    fn alias(&self, project: &Path) -> Option<Alias> {
        let importer = ProjectPath::parse(self.importer?).ok()?;
        (!self.is_file()).then(|| alias::find(project, &importer, self.name)).flatten()
    }

    /// Returns the hint for an alias that leads to files outside of the project.
    fn outside(&self, alias: &Alias) -> Option<String> {
        let path = alias.outside.first()?;
        let (name, configuration) = (self.name, &alias.configuration);
        Some(format!(
            "by {configuration}, `{name}` is `{path}`, outside of the project, where no build looks: put a copy of it into \
             the project, and name that in `paths`"
        ))
    }

    /// Returns the hint for a module that is not a file. `text` is all that the tool wrote.
    fn explained(&self, text: &str) -> Option<&'static str> {
        let of_node = format!(
            "The package \"{}\" wasn't found on the file system but is built into node",
            self.name
        );
        match self.name {
            _ if self.is_file() => None,
            name if name.starts_with("node:") || text.contains(&of_node) => Some(OF_NODE),
            name if name.starts_with("wasi:") => Some(
                "a module imports an interface under the name that the WIT world has for it, with its version",
            ),
            _ => Some(
                "packages come from package-lock.json: add one with `npm install --package-lock-only NAME` in the folder \
                 of package.json; of devDependencies only `@types/*` and `@tsconfig/*` are there",
            ),
        }
    }
}

/// Returns the paths at which the action may have looked for the module.
fn candidates(unresolved: &Unresolved<'_>, alias: Option<&Alias>) -> Vec<String> {
    const ENDINGS: [&str; 8] = ["", ".ts", ".tsx", ".mts", ".js", ".mjs", "/index.ts", "/index.js"];
    let relative = || {
        let importer = unresolved.importer.filter(|_| unresolved.is_file())?;
        ProjectPath::parse(importer).ok()?.parent().resolve(unresolved.name).ok()
    };
    let paths = alias.map_or_else(|| relative().into_iter().collect(), |alias| alias.files.clone());
    let mut candidates = Vec::new();
    for path in paths {
        candidates.extend(ENDINGS.iter().map(|ending| format!("/src/{path}{ending}")));
        // A TypeScript module may be imported by the name of the JavaScript file that it is compiled to.
        if let Some(stem) = path.as_str().strip_suffix("js") {
            candidates.push(format!("/src/{stem}ts"));
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (Vec<String>, String) {
        let mut output = ToolOutput::of(text, None);
        let hints = hints(&mut output);
        (hints, output.text)
    }

    #[test]
    fn complaints_of_the_tools_are_explained() {
        let check = |text: &str, expect: &str| {
            let (got, _) = told(text);
            assert!(got.len() == 1 && got[0].contains(expect), "{text}: {got:?}");
        };
        check("Error loading module \"https://192.0.2.1/a.js\"", "nothing is downloaded");
        check("the top level calls what is there only when the component runs", "do in a function");
        check("bad_optional_access was thrown in -fno-exceptions mode", "do in a function");
        check("[ERROR] Could not resolve \"node:fs\"", "modules of Node.js");
        let built_in = "The package \"fs\" wasn't found on the file system but is built into node.";
        check(&format!("[ERROR] Could not resolve \"fs\"\n{built_in}"), "modules of Node.js");
        check("[ERROR] Could not resolve \"wasi:cli/stdout\"", "the WIT world has for it");
        check("[ERROR] Could not resolve \"slugify\"", "package-lock.json");
        check("a.ts:1:8 - error TS7016: Could not find a declaration file", "@types/NAME");
        check("a.ts:1:8 - error TS2307: Cannot find module 'zod' or its", "package-lock.json");
        check("error TS2688: Cannot find type definition file for 'node'.", "`@types/*`");
        check("../types/fits-world.ts:6:11 - error TS1360: Type", "its WIT world asks for");
        check(
            "\"app.js\" does not export a \"incomingHandler\" interface",
            "export const incomingHandler",
        );
        check(
            "tsconfig.json:1:3 - error TS5102: Option 'baseUrl' has been removed.",
            "typescript@5.9.3",
        );
    }

    #[test]
    fn a_file_that_is_not_found_is_looked_for_in_the_project() {
        let check = |text: &str, expect: &str| {
            let (hints, text) = told(text);
            assert!(hints.is_empty(), "{hints:?}");
            let last = text.lines().last().unwrap();
            assert!(last.starts_with("cannot find ") && last.contains(expect), "{last}");
        };
        let esbuild =
            "✘ [ERROR] Could not resolve \"../x/i.ts\"\n\n    packages/app/app.ts:1:16:\n      1 │";
        check(esbuild, "/src/packages/x/i.ts ");
        let types = "error TS2688: Cannot find type definition file for './x.d.ts'.\n  tsconfig.json:1:124 - File is";
        check(types, "/src/x.d.ts ");
        let tsc = "packages/app/app.ts:1:17 - error TS2307: Cannot find module '../x/i.js' or its";
        check(tsc, "/src/packages/x/i.ts");
        check(&tsc.replace("i.js", "i"), "/src/packages/x/i.ts ");
    }

    #[test]
    fn the_importer_is_the_file_before_line_and_column() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(file(text), expect, "{text}");
        check("    a/b.ts:1:16:", Some("a/b.ts"));
        check("a:b.ts:1:16", Some("a:b.ts"));
        check("1 error", None);
        check("a.ts:x:1:", None);
    }
}
