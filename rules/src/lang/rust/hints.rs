//! Hints about failures of Cargo and its tools, in terms of the project. This file knows the wording of their
//! messages.

use crate::lang::rule::ToolOutput;
use crate::path::ProjectPath;

/// Cargo's messages if a manifest asks for something that the lockfile lacks. All that the lockfile has was
/// fetched, so nothing else can be missing.
const STALE_LOCK: [&str; 2] = ["--locked was passed", "you're using offline mode (--offline)"];

/// The words of Cargo before the features without which it skips a binary.
const MISSING_FEATURES: &str = "requires the features: ";

/// The linker's words about the library that the crate `cc` asks for with C++.
const NO_CXX: [&str; 1] = ["unable to find library -lc++"];

/// Returns hints about the messages in `output`.
pub(super) fn hints(output: &mut ToolOutput<'_>) -> Vec<String> {
    let stale = "Cargo.lock does not fit its Cargo.toml: run `cargo update --workspace` in its folder and commit it";
    let stale = output.has(&STALE_LOCK).then(|| stale.to_owned());
    let cxx = "components in Rust have no C++ library: C++ that needs none is linked if the build script calls \
               `.cpp_link_stdlib(None)` on its `cc::Build`";
    let cxx = output.has(&NO_CXX).then(|| cxx.to_owned());
    stale.into_iter().chain(missing_features(&output.text)).chain(cxx).collect()
}

fn missing_features(text: &str) -> Option<String> {
    let (_, rest) = text.split_once(MISSING_FEATURES)?;
    let names = rest.lines().next()?.split(',').map(|name| name.trim().trim_matches('`'));
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    let names = names.join(", ");
    Some(format!(
        "the component in run.toml needs `features = [{names}]`, with those that it has in the same list"
    ))
}

/// Returns the hint how to make a package around a source file that has none.
pub(super) fn new_package(source: &ProjectPath) -> String {
    let folder = source.parent();
    // Cargo looks for the targets of a package in its folder, and in `src` below that.
    let folder = if folder.file_name() == "src" { folder.parent() } else { folder };
    let kind = match source.file_name() {
        "main.rs" => "--bin",
        "lib.rs" => "--lib",
        name => {
            let stem = source.file_stem();
            return format!(
                "write a Cargo.toml beside or above it, with a `[package]` and `[[bin]] name = \"{stem}\"`, `path` being \
                 where `{name}` is"
            );
        }
    };
    let [folder, lock] = [folder.to_string(), folder.join("Cargo.toml").to_string()]
        .map(|path| engine::quote(&path));
    format!(
        "make one with: cargo init {kind} --vcs none --name app {folder} && cargo generate-lockfile --manifest-path {lock}"
    )
}

/// Returns the hint for a package whose Cargo workspace is above run.toml.
pub(super) fn workspace_above(
    manifest: &ProjectPath,
    workspace: &str,
    may_stand_alone: bool,
) -> String {
    let alone = match may_stand_alone {
        true => format!(
            "; or add an empty `[workspace]` to {manifest}, so that the package stands alone"
        ),
        false => String::new(),
    };
    format!(
        "move run.toml (and run.lock.toml) beside `{workspace}`, and write the paths in it from there: a build sees nothing \
         above the folder of run.toml{alone}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_features_are_named_as_run_toml_has_them() {
        let check = |text: &str, expect: Option<&str>| {
            let expect = expect.map(|list| {
                format!(
                    "the component in run.toml needs `features = [{list}]`, with those that it has in the same list"
                )
            });
            assert_eq!(missing_features(text), expect, "{text}");
        };
        check(
            "error: target `tool` in package `app` requires the features: `cli`, `net`\nConsider enabling",
            Some("\"cli\", \"net\""),
        );
        check("error: no such thing", None);
    }

    #[test]
    fn a_package_is_made_where_cargo_looks_for_the_source() {
        let check = |source: &str, expect: &str| {
            let hint = new_package(&ProjectPath::parse(source).unwrap());
            assert!(hint.contains(expect), "{hint}");
        };
        check("src/main.rs", "cargo init --bin --vcs none --name app . &&");
        check("api/src/lib.rs", "cargo init --lib --vcs none --name app api &&");
        check("api/main.rs", "cargo init --bin --vcs none --name app api &&");
        check(
            "my api/main.rs",
            "app 'my api' && cargo generate-lockfile --manifest-path 'my api/Cargo.toml'",
        );
        check("api/tool.rs", "`[[bin]] name = \"tool\"`");
    }
}
