//! Hints about failures of componentize-py, in terms of the project.
//!
//! The interpreter that componentize-py starts sees the folders of `-p` as `/0`, `/1` and so on, and runs the
//! module once. Its messages are therefore Python's own, but with those paths. This file knows the wording of
//! the tool's messages and nothing of planning.

use engine::CommandReport;

use super::error::NO_WHEEL;
use super::guest;
use crate::lang::rule::ToolOutput;

/// Returns the search path as the action sees it; `None` if the command compiled no Python.
fn search(command: &CommandReport) -> Option<Vec<String>> {
    if !command.argv.iter().any(|word| word == "componentize") {
        return None;
    }
    let folders = command.argv.windows(2).filter(|pair| pair[0] == "-p");
    let absolute = |folder: &str| match folder {
        "." => format!("/{}", command.cwd.trim_start_matches('/')),
        folder => folder.to_owned(),
    };
    Some(folders.map(|pair| absolute(&pair[1])).collect())
}

/// Returns the output with the action's paths in the place of the interpreter's.
fn translated(output: String, command: Option<&CommandReport>) -> String {
    let folders = command.and_then(search).unwrap_or_default();
    folders.iter().enumerate().fold(output, |text, (number, folder)| {
        let text = text.replace(&format!("\"/{number}/"), &format!("\"{folder}/"));
        text.replace(&format!("'/{number}/"), &format!("'{folder}/"))
    })
}

/// Returns hints about the failure. The interpreter's paths in `output` are replaced by the action's.
pub(super) fn hints(output: &mut ToolOutput<'_>) -> Vec<String> {
    if output.reason.contains("that Python in WebAssembly can load") {
        return vec![NO_WHEEL.to_owned()];
    }
    let Some(command) = output.command.filter(|command| search(command).is_some()) else {
        return Vec::new();
    };
    output.text = translated(std::mem::take(&mut output.text), Some(command));
    let output = output.text.as_str();
    let module = command.argv.iter().skip_while(|word| *word != "componentize").nth(1);
    let module = module.map_or("", String::as_str);
    let mut hints: Vec<String> = location(output).into_iter().collect();
    hints.extend(missing_class(output, module));
    hints.extend(missing_method(output));
    let of_packages: Vec<String> = output.lines().filter_map(of_packages).collect();
    hints.extend(missing_module(output).filter(|_| of_packages.is_empty()));
    hints.extend(of_packages);
    hints.extend(missing_metadata(output));
    if ["gaierror", "called trapping stub"].iter().any(|sign| output.contains(sign)) {
        hints.push(
            "the module runs once while the component is made, without a network and without what \
             its world imports: do in a function what has to be done in each run"
                .to_owned(),
        );
    }
    hints
}

/// Returns a hint with the innermost line of a traceback that is in the project.
fn location(output: &str) -> Option<String> {
    let mut lines = output.lines().filter_map(|line| {
        let (_, place) = line.split_once("File \"/src/")?;
        let (file, rest) = place.split_once("\", line ")?;
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("{file}:{number}"))
    });
    Some(format!("in the project this is {}", lines.next_back()?))
}

/// Returns a hint about an export for which there is no class. An error of the same kind in the module's own
/// code has a traceback, and gets no hint.
fn missing_class(output: &str, module: &str) -> Option<String> {
    let start = format!("AttributeError: module '{module}' has no attribute '");
    let (before, rest) = output.split_once(&start)?;
    let class = rest.split('\'').next().filter(|_| !before.contains("Traceback"))?;
    let base = if class == "WitWorld" { "wit_world.WitWorld" } else { &format!("exports.{class}") };
    Some(format!(
        "the world exports what a class `{class}` of module `{module}` has to implement: add \
         `class {class}({base}):` with a method for each function (and `import wit_world`, \
         `from wit_world import exports`)"
    ))
}

fn missing_method(output: &str) -> Option<String> {
    let (_, rest) = output.split_once("Can't instantiate abstract class ")?;
    let class = rest.split(' ').next()?;
    Some(format!("class `{class}` has to have a method for each function of its WIT interface"))
}

fn missing_module(output: &str) -> Option<String> {
    let (_, rest) = output.split_once("ModuleNotFoundError: No module named '")?;
    let module = rest.split('\'').next()?;
    if guest::WITHOUT.contains(&module) {
        let tls = match module {
            "_ssl" => "; connections with TLS are made by `wasi:http/outgoing-handler`",
            _ => "",
        };
        return Some(format!(
            "the interpreter of components is built without `{module}`: do without what imports it, or import that in \
             `try` with `except ImportError`{tls}"
        ));
    }
    Some(format!(
        "`{module}` is neither below the folders that are searched nor in a lockfile: add a \
         third-party package to the dependencies and lock it (docs/languages.md, Python); name a \
         folder of the project by `env = {{ PYTHONPATH = \"folder\" }}`; a symlink to a folder outside \
         of the project is not followed, put a copy of that into the project"
    ))
}

/// Returns the remedy for what the scripts around componentize-py found out about packages.
fn of_packages(line: &str) -> Option<String> {
    let quoted = |text: &str| text.split('`').nth(1).map(str::to_owned);
    if line.contains("` is native code of `") {
        return Some(
            "Python in WebAssembly can't load native code for other systems: lock versions that are pure Python \
             (`py3-none-any`) or built for WASI, or another package"
                .to_owned(),
        );
    }
    let (sdk, rest) = line.split_once(" wants bindings for its own WIT in ")?;
    let (folder, rest) = rest.split_once(", world ")?;
    let world = quoted(rest)?;
    let package = world.split('/').next()?;
    let lock = match folder.strip_prefix("/src/") {
        Some(folder) => {
            format!("`\"{package}\" = {{ path = \"{folder}\" }}` to [dependencies] of run.toml")
        }
        None => "its WIT to `deps` of the component's WIT".to_owned(),
    };
    Some(format!(
        "{sdk} finds the bindings of the component's world: add `include {world};` to that, and {lock}"
    ))
}

fn missing_metadata(output: &str) -> Option<String> {
    let (_, rest) =
        output.split_once("PackageNotFoundError: No package metadata was found for ")?;
    let package = rest.lines().next()?.trim();
    Some(format!(
        "a package of the project has metadata if `[project]` in its pyproject.toml has a `name` and a \
         `version` that is not `dynamic`; any other one, as `{package}` may be, has to be in the lockfile"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn command() -> CommandReport {
        let argv = [
            "python3",
            "-w",
            "greeter",
            "componentize",
            "app",
            "-p",
            ".",
            "-p",
            "/deps/site-packages",
        ];
        CommandReport {
            argv: argv.map(str::to_owned).to_vec(),
            env: BTreeMap::new(),
            cwd: "/src/components/greeter".to_owned(),
        }
    }

    #[track_caller]
    fn check(output: &str, expect: &[&str]) {
        let command = command();
        let got = hints(&mut ToolOutput::of(output, Some(&command)));
        assert_eq!(got.len(), expect.len(), "{got:?}");
        for (hint, expect) in got.iter().zip(expect) {
            assert!(hint.contains(expect), "no {expect:?} in {hint:?}");
        }
    }

    #[test]
    fn places_are_those_of_the_project() {
        check(
            "  File \"/0/app.py\", line 2\n    class Greet(exports.Greet)\n\
             SyntaxError: expected ':'",
            &["in the project this is components/greeter/app.py:2"],
        );
        check(
            "  File \"/0/app.py\", line 3, in <module>\n  File \"/0/sub/phrases.py\", line 14, in f\n  \
             File \"/1/humanize/__init__.py\", line 9, in g\nValueError",
            &["in the project this is components/greeter/sub/phrases.py:14"],
        );
        check("Component built successfully", &[]);
        let text = translated("No such file: '/0/data/x.txt'".to_owned(), Some(&command()));
        assert_eq!(text, "No such file: '/src/components/greeter/data/x.txt'");
        assert_eq!(translated("'/0/x'".to_owned(), None), "'/0/x'");
    }

    #[test]
    fn what_a_world_asks_for_is_told() {
        check(
            "AttributeError: module 'app' has no attribute 'Greet'",
            &["add `class Greet(exports.Greet):`"],
        );
        check(
            "AttributeError: module 'app' has no attribute 'WitWorld'",
            &["add `class WitWorld(wit_world.WitWorld):`"],
        );
        // The interpreter prints warnings about the code that it compiles.
        check(
            "/1/x.py:1: SyntaxWarning: invalid escape\n\
             AttributeError: module 'app' has no attribute 'Greet'",
            &["add `class Greet(exports.Greet):`"],
        );
        let own = "Traceback (most recent call last):\n  File \"/9/a.py\", line 1\n";
        check(&format!("{own}AttributeError: module 'app' has no attribute 'x'"), &[]);
        check("AttributeError: module 'json' has no attribute 'x'", &[]);
        check(
            "TypeError: Can't instantiate abstract class Greet without an implementation for \
             abstract method 'greet'",
            &["class `Greet` has to have a method for each function"],
        );
    }

    #[test]
    fn what_is_not_there_is_told() {
        check("ModuleNotFoundError: No module named 'humanize'", &["`humanize` is neither below"]);
        check(
            "importlib.metadata.PackageNotFoundError: No package metadata was found for app\n",
            &["has a `name` and a `version` that is not `dynamic`"],
        );
        check(
            "ModuleNotFoundError: No module named '_ssl'",
            &["built without `_ssl`: do without what imports it, or import that in `try`"],
        );
        check(
            "ModuleNotFoundError: No module named 'pydantic_core._pydantic_core'\n\
             `pydantic_core._pydantic_core` is native code of `pydantic-core` 2.50.5, which `pydantic` needs",
            &["lock versions that are pure Python"],
        );
        let sdk = "ImportError: cannot import name 'u' from 'wit_world.imports' (/world/wit_world/imports/__init__.py)\n\
                   `sdk` wants bindings for its own WIT in /src/lib/sdk/wit, world `acme:sdk/w@1.0.0`";
        let advice = "add `include acme:sdk/w@1.0.0;` to that, and `\"acme:sdk\" = { path = \"lib/sdk/wit\" }` to";
        check(sdk, &[advice]);
        check(&sdk.replace("/src/lib", "/deps/site-packages"), &["its WIT to `deps` of the"]);
        check("socket.gaierror: [Errno -4] Non-recoverable error", &["the module runs once"]);
        check("called trapping stub: wasi:http/types#x", &["the module runs once"]);
    }

    #[test]
    fn other_tools_are_left_alone() {
        let mut command = command();
        command.argv = vec!["cargo".to_owned(), "-p".to_owned(), ".".to_owned()];
        let text = "File \"/0/app.py\", line 2, ModuleNotFoundError: No module named 'x'";
        let mut output = ToolOutput::of(text, Some(&command));
        assert_eq!(hints(&mut output), Vec::<String>::new());
        assert_eq!(output.text, text);
    }
}
