//! Finds what a module does too late or cannot do at all: imports and reads of files in functions, and
//! network connections.
//!
//! A component has no files, so all its imports have to be made while it is built. Imports in functions that
//! can be read from the project's sources are made at the end of the module. Where the sources don't tell
//! what is imported, or it can't work, the build warns with file and line. Other people's modules are not
//! read here: the imports of their functions are found in the interpreter (`scripts/_run_late_imports.py`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::error::PythonError;
use super::module::Module;
use super::statements::{Statement, statements};
use crate::path::ProjectPath;

/// The late imports and the warnings that were found in a component's sources.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Late {
    /// The modules that functions import, each with the names that they import from it.
    pub(super) imports: BTreeMap<String, BTreeSet<String>>,
    /// The warnings, each with file and line.
    pub(super) warnings: Vec<String>,
}

/// An import: the full name of the module, and the names that are imported from it.
struct Import {
    module: String,
    names: BTreeSet<String>,
}

/// A module of the project while it is read.
struct Reading {
    /// The module's file.
    file: ProjectPath,
    /// The package that its relative imports start from.
    package: String,
}

/// Code that reads what a wheel or a folder of the checkout has besides modules, with the words for it.
const READS: [(&str, &str); 7] = [
    ("__file__", "reads a file beside the module"),
    ("resources.files(", "reads a resource"),
    ("resources.open_text(", "reads a resource"),
    ("resources.read_text(", "reads a resource"),
    ("resources.read_binary(", "reads a resource"),
    ("pkgutil.get_data(", "reads a resource"),
    ("metadata.version(", "reads the metadata of a package"),
];

/// The name of the module that, in the interpreter, makes the imports of other people's functions.
pub(super) const OTHERS: &str = "_run_late_imports";

/// The HTTP client modules that open connections with sockets of their own.
const CLIENTS: [&str; 5] = ["aiohttp", "httpx", "requests", "urllib.request", "urllib3"];

/// Searches `module`, whose file is `source`, and every module that it imports from the folders in `search`.
pub(super) fn find(
    project: &Path,
    source: &ProjectPath,
    module: &Module,
    search: &[ProjectPath],
) -> Result<Late, PythonError> {
    let folders: Vec<&ProjectPath> = std::iter::once(&module.root).chain(search).collect();
    let mut late = Late::default();
    let mut open = vec![Reading::new(source.clone(), &module.name)];
    let mut seen = BTreeSet::from([source.clone()]);
    while let Some(reading) = open.pop() {
        let Some(text) = text(project, &reading.file)? else { continue };
        let statements = statements(&text);
        let early = early(&statements);
        for statement in &statements {
            let imports = reading.imports(statement);
            for name in imports.iter().flat_map(Import::all) {
                match file(project, &folders, &name) {
                    Some(file) if seen.insert(file.clone()) => {
                        open.push(Reading::new(file, &name));
                    }
                    None if CLIENTS.contains(&name.as_str()) => {
                        late.warnings.push(reading.client(statement, &name));
                    }
                    _ => {}
                }
            }
            if let Some(function) = &statement.function {
                if !early.contains(function.as_str()) {
                    late.warnings.extend(reading.warning(project, statement));
                }
                for Import { module, names } in imports {
                    late.imports.entry(module).or_default().extend(names);
                }
            }
        }
    }
    late.warnings.sort();
    Ok(late)
}

impl Late {
    /// Returns the module's text with the late imports at its end, and after them those of other people's
    /// functions.
    pub(super) fn appended_to(&self, text: &str) -> String {
        // Names contain nothing that would have to be escaped.
        let quoted = |name: &String| format!("\"{name}\", ");
        let imports = self.imports.iter().map(|(module, names)| {
            format!("    (\"{module}\", ({})),\n", names.iter().map(quoted).collect::<String>())
        });
        let imports: String = imports.collect();
        format!(
            "{text}\n\n\
             # What functions import: there are no files to import it from when they are called.\n\
             for __run_module, __run_names in (\n{imports}):\n    try:\n        \
             __import__(__run_module, fromlist=__run_names)\n    \
             except (Exception, SystemExit):\n        pass\n\
             __import__(\"{OTHERS}\").make(__name__)\n"
        )
    }
}

impl Import {
    /// Returns every module that the import may load: the module, the packages around it, and the imported
    /// names, which may be modules too.
    fn all(&self) -> BTreeSet<String> {
        let ends = self.module.match_indices('.').map(|(at, _)| at).chain([self.module.len()]);
        let parents = ends.map(|end| self.module[..end].to_owned());
        parents.chain(self.names.iter().map(|name| format!("{}.{name}", self.module))).collect()
    }
}

impl Reading {
    fn new(file: ProjectPath, name: &str) -> Self {
        let package = match file.file_name() {
            "__init__.py" => name,
            _ => name.rsplit_once('.').map_or("", |(package, _)| package),
        };
        Self { package: package.to_owned(), file }
    }

    /// Returns what a statement imports.
    fn imports(&self, statement: &Statement) -> Vec<Import> {
        let code = statement.code.as_str();
        let plain = |module: String| Import { module, names: BTreeSet::new() };
        if let Some(list) = code.strip_prefix("import ") {
            return names(list).map(|name| plain(name.to_owned())).collect();
        }
        if let Some((module, list)) =
            code.strip_prefix("from").and_then(|rest| rest.split_once(" import"))
        {
            let list = list.trim().trim_start_matches('(').trim_end_matches(')');
            let names = names(list).filter(|name| *name != "*").map(str::to_owned).collect();
            return self
                .absolute(module.trim())
                .map(|module| Import { module, names })
                .into_iter()
                .collect();
        }
        let mut found: Vec<Import> = dynamic(statement)
            .flatten()
            .filter(|name| is_module(name))
            .map(|name| plain(name.to_owned()))
            .collect();
        if code.contains("strptime(") {
            found.push(plain("_strptime".to_owned()));
        }
        found
    }

    /// Returns the full name of a module that may be given relative to the package.
    fn absolute(&self, module: &str) -> Option<String> {
        let name = module.trim_start_matches('.');
        let level = module.len() - name.len();
        let name = name.trim();
        if level == 0 {
            return is_module(name).then(|| name.to_owned());
        }
        let mut parts: Vec<&str> =
            self.package.split('.').filter(|part| !part.is_empty()).collect();
        parts.truncate(parts.len().checked_sub(level - 1)?);
        parts.extend(name.split('.').filter(|part| !part.is_empty()));
        Some(parts.join(".")).filter(|name| is_module(name))
    }

    /// Returns the warning that a client of HTTP cannot work in a component.
    fn client(&self, statement: &Statement, module: &str) -> String {
        format!(
            "{}:{}: imports `{module}`, which opens sockets of its own, and a component has no TLS: send requests by \
             `wasi:http/outgoing-handler`, which the world has to import (docs/languages.md, Python)",
            self.file, statement.line
        )
    }

    /// Returns a warning if a statement of a function cannot work, or imports a module that is not known.
    fn warning(&self, project: &Path, statement: &Statement) -> Option<String> {
        let place = format!("{}:{}", self.file, statement.line);
        if dynamic(statement).any(|name| name.is_none()) {
            return Some(format!(
                "{place}: imports a module whose name is not written there, which works only if something \
                 has imported it before: a component has no files to import from; import it at top level"
            ));
        }
        let opened = statement
            .code
            .find("open(\"\"")
            .and_then(|at| statement.strings.get(statement.code[..at].matches("\"\"").count()));
        let is_there = |text: &String| {
            let beside = self.file.parent().resolve(text).ok();
            let there = |path: ProjectPath| path.on_disk(project).is_file();
            beside.is_some_and(there) || ProjectPath::parse(text).is_ok_and(there)
        };
        let what = match opened.filter(|text| is_there(text)) {
            Some(file) => format!("opens `{file}`"),
            None => {
                let (_, what) = READS.iter().find(|(code, _)| statement.code.contains(code))?;
                (*what).to_owned()
            }
        };
        Some(format!(
            "{place}: {what} when it is called, and a component has no files but those that it is run with: \
             read it while the component is made, which is when top-level code runs"
        ))
    }
}

/// Returns the functions that the file's top-level code calls, directly or through others. They run while the
/// component is made, so reading files works in them.
fn early(statements: &[Statement]) -> BTreeSet<&str> {
    let mut calls: BTreeMap<Option<&str>, BTreeSet<&str>> = BTreeMap::new();
    for statement in statements {
        let called = calls.entry(statement.function.as_deref()).or_default();
        let is_definition =
            ["def ", "async def "].iter().any(|head| statement.code.starts_with(head));
        if !is_definition {
            called.extend(called_in(&statement.code));
        }
    }
    let (mut found, mut open) = (BTreeSet::new(), vec![None]);
    while let Some(function) = open.pop() {
        for name in calls.get(&function).into_iter().flatten() {
            if found.insert(*name) {
                open.push(Some(name));
            }
        }
    }
    found
}

/// Returns the names that stand before an opening parenthesis.
fn called_in(code: &str) -> impl Iterator<Item = &str> {
    code.match_indices('(').filter_map(|(at, _)| {
        let before = code[..at].trim_end();
        let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        (!name.is_empty()).then_some(name)
    })
}

/// Returns the module names that are given to `import_module` and `__import__`. `None` stands for a name that
/// is not a plain string.
fn dynamic(statement: &Statement) -> impl Iterator<Item = Option<&str>> {
    let calls = ["import_module(", "__import__("].into_iter();
    calls.flat_map(move |call| {
        statement.code.match_indices(call).filter_map(move |(at, _)| {
            let before = &statement.code[..at];
            let is_definition = before.trim_end().ends_with("def");
            let arguments = statement.code[at + call.len()..].trim_start();
            let number = before.matches("\"\"").count();
            let literal =
                arguments.starts_with("\"\"") && arguments[2..].trim_start().starts_with(')');
            let name = statement.strings.get(number).filter(|_| literal);
            (!is_definition).then_some(name.map(String::as_str))
        })
    })
}

/// Returns the names in a list like `a.b as c, d`, without those after `as`.
fn names(list: &str) -> impl Iterator<Item = &str> {
    let words = list.split(',').filter_map(|name| name.split_whitespace().next());
    words.filter(|name| is_module(name) || *name == "*")
}

fn is_module(name: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
    name.split('.').all(is_part)
}

/// Returns the file of a module, from the first folder that has it.
fn file(project: &Path, folders: &[&ProjectPath], module: &str) -> Option<ProjectPath> {
    let below = module.replace('.', "/");
    folders.iter().find_map(|folder| {
        let candidates = [format!("{below}/__init__.py"), format!("{below}.py")];
        let mut candidates = candidates.iter().map(|name| folder.join(name));
        candidates.find(|path| path.on_disk(project).is_file())
    })
}

/// Returns the text of a file; `None` if it is not UTF-8 or has just disappeared.
pub(super) fn text(project: &Path, file: &ProjectPath) -> Result<Option<String>, PythonError> {
    match std::fs::read(file.on_disk(project)) {
        Ok(bytes) => Ok(String::from_utf8(bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PythonError::Read { path: file.clone(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Late {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let source = ProjectPath::parse(files[0].0).unwrap();
        let module = Module::of(dir.path(), &source).unwrap();
        let search = [ProjectPath::parse("lib").unwrap()];
        find(dir.path(), &source, &module, &search).unwrap()
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], imports: &[(&str, &[&str])]) {
        let late = found(files);
        let found: Vec<(&str, Vec<&str>)> = late
            .imports
            .iter()
            .map(|(module, names)| (module.as_str(), names.iter().map(String::as_str).collect()))
            .collect();
        let expect: Vec<(&str, Vec<&str>)> =
            imports.iter().map(|(module, names)| (*module, names.to_vec())).collect();
        assert_eq!(found, expect);
        assert_eq!(late.warnings, Vec::<String>::new());
    }

    #[test]
    fn imports_of_functions_are_found_in_all_that_is_imported() {
        check(&[("app.py", "import json\ndef f(): pass")], &[]);
        check(
            &[(
                "app.py",
                "def f():\n    import helper\n    import json, os.path as p\n    from x import (a as b, c)",
            )],
            &[("helper", &[]), ("json", &[]), ("os.path", &[]), ("x", &["a", "c"])],
        );
        // Modules that only functions import are read too. Modules that nobody imports are not.
        check(
            &[
                ("app.py", "import one\ndef f():\n    import two"),
                ("one.py", "def f(): import three"),
                ("lib/two.py", "def f(): import four"),
                ("other.py", "def f(): import five"),
            ],
            &[("four", &[]), ("three", &[]), ("two", &[])],
        );
        check(
            &[
                (
                    "shop/app.py",
                    "from . import words\ndef f():\n    from .deep import more\n    from .. import up",
                ),
                ("shop/__init__.py", ""),
                ("shop/words.py", "def f():\n    from .deep.more import x"),
                ("shop/deep/__init__.py", ""),
            ],
            &[("shop.deep", &["more"]), ("shop.deep.more", &["x"])],
        );
    }

    #[test]
    fn imports_by_a_call_are_found_where_the_name_is_written() {
        check(
            &[(
                "app.py",
                "import importlib\ndef f(t):\n    importlib.import_module('plug.a')\n    __import__(\"b\")\n    \
                 return datetime.strptime(t, '%d')",
            )],
            &[("_strptime", &[]), ("b", &[]), ("plug.a", &[])],
        );
    }

    #[test]
    fn what_cannot_work_is_warned_of_with_its_place() {
        let check = |text: &str, expect: &str| {
            let late = found(&[("src/app.py", text), ("src/data.txt", ""), ("words.txt", "")]);
            assert_eq!(late.warnings.len(), usize::from(!expect.is_empty()), "{:?}", late.warnings);
            assert!(late.warnings.iter().all(|warning| warning.starts_with(expect)));
        };
        check("X = open('data.txt').read()", "");
        check(
            "def f():\n    return open('data.txt').read()",
            "src/app.py:2: opens `data.txt` when it is",
        );
        check("def f():\n    return open('words.txt').read()", "src/app.py:2: opens `words.txt`");
        check("def f():\n    return open('given.txt').read()", "");
        check(
            "def f():\n    return Path(__file__).read_text()",
            "src/app.py:2: reads a file beside the module",
        );
        check(
            "def f(n):\n    return import_module(n)",
            "src/app.py:2: imports a module whose name",
        );
        check("def f():\n    '''Path(__file__)'''", "");
        // A function that top-level code calls runs while the component is made.
        check("def f():\n    return open('data.txt').read()\nX = f()", "");
        check(
            "class C:\n    def g(self):\n        return open('data.txt').read()\n\
             def f(): return C().g()\nX = f()",
            "",
        );
        check(
            "def f(): return g()\ndef g(): return open('data.txt').read()",
            "src/app.py:2: opens `data.txt`",
        );
    }

    #[test]
    fn what_opens_connections_is_warned_of() {
        let check = |text: &str, expect: &[&str]| {
            let late = found(&[("app.py", text), ("lib/httpx.py", "")]);
            let starts: Vec<&str> =
                late.warnings.iter().map(|line| line.split(',').next().unwrap()).collect();
            assert_eq!(starts, expect, "{text}");
        };
        check("import requests", &["app.py:1: imports `requests`"]);
        check(
            "import json\ndef f():\n    from urllib import request, parse",
            &["app.py:3: imports `urllib.request`"],
        );
        check("from urllib3.util import Retry", &["app.py:1: imports `urllib3`"]);
        check("import urllib.parse", &[]);
        // A module of the project.
        check("import httpx", &[]);
    }

    #[test]
    fn the_imports_stand_at_the_end_of_the_module() {
        let late = found(&[("app.py", "def f():\n    import a\n    from b import c")]);
        let text = late.appended_to("X = 1");
        assert!(text.starts_with("X = 1\n\n# What functions import"), "{text}");
        assert!(text.contains("    (\"a\", ()),\n    (\"b\", (\"c\", )),\n"), "{text}");
        assert!(text.ends_with("\n__import__(\"_run_late_imports\").make(__name__)\n"), "{text}");
    }
}
