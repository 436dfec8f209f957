//! Hints about failures of the go command and TinyGo, in terms of the project: functions that the world asks
//! for, a go.mod that is out of date, packages that do not support WASI.

use super::not_compiled::LEFT_OUT;
use crate::lang::bindings::go::expected;
use crate::lang::rule::ToolOutput;
use crate::toolchain::{Catalogue, GO, TINYGO, TINYGO_GO};

/// The go command's messages if go.mod or go.sum does not fit the sources.
const STALE: [&str; 6] = [
    "updates to go.mod needed",
    "missing go.sum entry",
    "no required module provides package",
    "cannot find module providing package",
    "module lookup disabled by GOPROXY=off",
    "inconsistent vendoring",
];

/// Returns hints about the messages in `output`.
pub(super) fn hints(output: &mut ToolOutput<'_>) -> Vec<String> {
    let mut hints: Vec<String> = output
        .text
        .lines()
        .filter_map(expected)
        .map(|(folder, signature)| {
            let types = if signature.contains("witTypes.") {
                ", where `witTypes` is \"go.bytecodealliance.org/pkg/wit/types\""
            } else {
                ""
            };
            format!("the world asks for `{signature}` in the package `{folder}`{types}")
        })
        .collect();
    hints.dedup();
    let known = Catalogue::builtin().toolchain(GO).ok();
    let known: Vec<&str> = known.iter().flat_map(|toolchain| toolchain.versions()).collect();
    hints.extend(output.text.lines().find_map(|line| newer_go(line, &known)));
    let tinygo = of_tinygo(output);
    if tinygo.is_empty() && output.has(&STALE) {
        hints.push(
            "go.mod and go.sum have to name all that the sources import, as a build downloads \
             nothing: run `go mod tidy -e` in the folder of go.mod (and `go mod vendor -e`, if there is a folder `vendor`); a package of the \
             project itself needs a folder with its Go files"
                .to_owned(),
        );
    }
    hints.extend(tinygo);
    hints.extend(for_other_systems(output));
    hints.extend(output.note.map(|note| way(note, output.text.contains(UNDEFINED))));
    hints
}

/// The message about something that perhaps another file declares.
const UNDEFINED: &str = "undefined";

/// Returns what was noted of a package that does not compile. The files that are left out matter only if
/// something is missing.
fn way(note: &str, is_undefined: bool) -> String {
    let lines = note.lines().filter(|line| is_undefined || !line.contains(LEFT_OUT));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the hint for a line that says that a module needs a newer Go than the pinned one. `known` are the
/// versions that could be pinned.
fn newer_go(line: &str, known: &[&str]) -> Option<String> {
    let (module, rest) = line.trim_start_matches("go: ").split_once(" requires go >= ")?;
    let version = |text: &str| {
        let numbers = text.split('.').map(|part| part.parse().ok());
        numbers.collect::<Option<Vec<u32>>>()
    };
    let asked = version(rest.split(' ').next()?)?;
    let serves = |known: &&&str| version(known).is_some_and(|known| known >= asked);
    let lower = match module.contains('@') {
        true => format!("require an older version of {}", module.split('@').next()?),
        false => "lower the line `go` of that go.mod".to_owned(),
    };
    Some(match known.iter().find(serves) {
        Some(newer) => format!(
            "run.lock.toml pins an older Go: pin a newer one with `run toolchain sync --upgrade {GO}@{newer}`, or {lower}"
        ),
        None => format!("run.lock.toml pins an older Go, and no newer one is known: {lower}"),
    })
}

/// The go command's message about a package that has files for other systems only. The package's folder
/// follows it.
const NO_FILES: &str = "build constraints exclude all Go files in ";

/// Returns the hint for packages that do not support WASI.
fn for_other_systems(output: &ToolOutput<'_>) -> Option<String> {
    let folders = output.text.lines().filter_map(|line| line.split_once(NO_FILES));
    let is_own = |folder: &&str| folder.starts_with("/src") && !folder.contains("/vendor/");
    let (own, of_others): (Vec<&str>, Vec<&str>) =
        folders.map(|(_, folder)| folder.trim_end()).partition(is_own);
    let argv = output.command.iter().flat_map(|command| &command.argv);
    let tag = if argv.into_iter().any(|word| word == TINYGO) { TINYGO } else { "wasip1" };
    let lacks_files =
        output.note.is_some_and(|note| note.contains(LEFT_OUT)) && output.has(&[UNDEFINED]);
    if !of_others.is_empty() || lacks_files || output.reason.contains(LEFT_OUT) {
        return Some(format!(
            "a package that does not support WASI, or that needs C, can't be part of a component: use another module; or \
             put `//go:build !{tag}` at the top of the files of the project that import it, and what the component \
             does without it into files with `//go:build {tag}`"
        ));
    }
    if output.has(&["undefined: syscall.", "undefined: unix."]) {
        return Some(format!(
            "`syscall` and `golang.org/x/sys/unix` have less for WASI than for other systems: put `//go:build !{tag}` at the \
             top of the files that need what is missing, and what the component does without it into files with \
             `//go:build {tag}`"
        ));
    }
    own.first().map(|folder| {
        let folder = folder.trim_start_matches("/src").trim_start_matches('/');
        let folder = if folder.is_empty() { "." } else { folder };
        format!("no file of `{folder}` is for WASI: add one with `//go:build {tag}` at its top")
    })
}

/// Returns the hints for TinyGo's messages about its Go, about bindings and about the programs that it calls.
fn of_tinygo(output: &ToolOutput<'_>) -> Vec<String> {
    let mut hints = Vec::new();
    let versions = output.text.lines().find_map(|line| line.split_once("requires go version "));
    if let Some(hint) = versions.and_then(|(_, range)| fitting_go(range)) {
        hints.push(hint);
    }
    if output.has(&["undefined: runtime.Pinner"]) {
        hints.push(
            "these bindings are for Go's own compiler: TinyGo takes those that wit-bindgen-go writes, with \
             `go run go.bytecodealliance.org/cmd/wit-bindgen-go@v0.7.0 generate --world WORLD --out FOLDER WIT`"
                .to_owned(),
        );
    }
    for program in ["wasm-opt", "tinygo"] {
        let signs = [
            format!("exec: \"{program}\": executable file not found"),
            format!("/{program}: no such file or directory"),
            format!("{program}: not found"),
        ];
        if output.has(&signs.each_ref().map(String::as_str)) {
            hints.push(format!(
                "`bin/{program}` of the toolchain `{TINYGO}` is missing or is dynamically linked, which no action can start: \
                 `run toolchain add {TINYGO}@VERSION --path ARCHIVE` replaces the toolchain, and warns of such programs"
            ));
        }
    }
    hints
}

/// Returns the hint that names a Go which this TinyGo accepts. `range` is TinyGo's text `1.19 through 1.23,
/// got go1.27`.
fn fitting_go(range: &str) -> Option<String> {
    let minor = |text: &str| text.split('.').nth(1)?.parse::<u32>().ok();
    let (least, rest) = range.split_once(" through ")?;
    let (least, most) = (minor(least)?, minor(rest.split(',').next()?)?);
    let fits = |version: &&str| minor(version).is_some_and(|found| (least..=most).contains(&found));
    let known = Catalogue::builtin().toolchain(TINYGO_GO).ok()?;
    let newest = known.versions().filter(fits).max_by_key(|version| minor(version))?;
    Some(format!(
        "pin a Go that this TinyGo takes: run `run toolchain sync --upgrade {TINYGO_GO}@{newest}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_go_is_offered_if_there_is_one() {
        let check = |module: &str, known: &[&str], expect: &str| {
            let line = format!("go: {module} requires go >= 1.28.1 (running go 1.27.3)");
            let hint = newer_go(&line, known).unwrap();
            assert!(hint.ends_with(expect), "{hint}");
        };
        let none = ["1.27.3", "1.28", "1.28.0"];
        check("go.mod", &none, "no newer one is known: lower the line `go` of that go.mod");
        check("x.org/a@v1.2.0", &none, "known: require an older version of x.org/a");
        let newer =
            "`run toolchain sync --upgrade go@1.28.1`, or lower the line `go` of that go.mod";
        check("../lib/go.mod", &["1.27.3", "1.28.1"], newer);
        assert_eq!(newer_go("go: nothing of the kind", &[]), None);
    }

    #[test]
    fn complaints_of_the_go_command_are_explained() {
        let check = |text: &str, expect: &str| {
            let got = hints(&mut ToolOutput::of(text, None));
            assert!(got.len() == 1 && got[0].contains(expect), "{text}: {got:?}");
        };
        check("go: updates to go.mod needed; to update it:\n\tgo mod tidy", "run `go mod tidy -e`");
        check(
            "go: go.mod requires go >= 1.99 (running go 1.27.3; GOTOOLCHAIN=local)",
            "lower the line `go` of that go.mod",
        );
        check(
            "error: requires go version 1.19 through 1.24, got go1.27",
            "`run toolchain sync --upgrade tinygo-go@1.24.11`",
        );
        check(
            "wit/types.go:9:18: undefined: runtime.Pinner\nmissing go.sum entry",
            "wit-bindgen-go@v0.7.0",
        );
        check(
            "sh: exec: line 2: tinygo: not found",
            "`bin/tinygo` of the toolchain `tinygo` is missing",
        );
        check(
            "wasm-opt failed: fork/exec /usr/lib/tinygo/bin/wasm-opt: no such file or directory",
            "dynamically linked",
        );
        check(
            "imports x.org/a: build constraints exclude all Go files in /deps/mod/x.org/a@v1.0.0",
            "put `//go:build !wasip1` at the top of the files of the project that import it",
        );
        check(
            "main.go:5:9: undefined: syscall.Kill",
            "put `//go:build !wasip1` at the top of the files that need what is missing",
        );
        check(
            "package a.org/m/x: build constraints exclude all Go files in /src/m/x",
            "no file of `m/x` is for WASI: add one with `//go:build wasip1`",
        );
        check(
            "exports/export_ops (func Add(a uint32) uint32):1: undefined: export_ops.Add",
            "the world asks for `func Add(a uint32) uint32` in the package `exports/export_ops`",
        );
    }
}
