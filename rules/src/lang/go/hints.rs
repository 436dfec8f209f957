//! What the go command says, in the project's terms: functions that the world asks for, a stale
//! go.mod.

use super::bindings::expected;
use crate::lang::ToolOutput;

/// What the go command says when go.mod or go.sum does not fit the sources.
const STALE: [&str; 6] = [
    "updates to go.mod needed",
    "missing go.sum entry",
    "no required module provides package",
    "cannot find module providing package",
    "module lookup disabled by GOPROXY=off",
    "inconsistent vendoring",
];

/// What a person can do about it.
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
    if output.has(&["requires go >= "]) {
        hints.push(
            "run.lock.toml pins an older Go: lower the line `go` of that go.mod, or pin a newer one with \
             `run toolchain sync --upgrade go`"
                .to_owned(),
        );
    }
    if output.has(&STALE) {
        hints.push(
            "go.mod and go.sum have to name all that the sources import, as a build downloads \
             nothing: run `go mod tidy -e` (and `go mod vendor`, if there is a folder `vendor`); a package of the \
             project itself needs a folder with its Go files"
                .to_owned(),
        );
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_of_the_go_command_are_explained() {
        let check = |text: &str, expect: &str| {
            let got = hints(&mut ToolOutput { text: text.to_owned(), command: None });
            assert!(got.len() == 1 && got[0].contains(expect), "{text}: {got:?}");
        };
        check("go: updates to go.mod needed; to update it:\n\tgo mod tidy", "run `go mod tidy -e`");
        check(
            "go: go.mod requires go >= 1.99 (running go 1.27.3; GOTOOLCHAIN=local)",
            "run toolchain sync --upgrade go",
        );
        check(
            "exports/export_ops (func Add(a uint32) uint32):1: undefined: export_ops.Add",
            "the world asks for `func Add(a uint32) uint32` in the package `exports/export_ops`",
        );
    }
}
