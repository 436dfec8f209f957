//! Hints about failures of zig and its linker, in terms of the project. This file knows the wording of their
//! messages and nothing of planning.

use std::collections::BTreeSet;

use crate::lang::rule::ToolOutput;

/// Returns hints about the messages in `output`.
pub(super) fn hints(output: &mut ToolOutput<'_>) -> Vec<String> {
    let mut hints: Vec<String> = unlinked(&output.text).into_iter().collect();
    if output.text.contains("error: invalid option: ") && output.text.contains("zig build -h") {
        hints.push(
            "`run` calls `zig build` with `-Dtarget` and `-Dbindings`: build.zig has to call \
             `b.standardTargetOptions` and to declare `b.option([]const u8, \"bindings\", …)`"
                .to_owned(),
        );
    }
    hints.extend(defined_twice(&output.text));
    hints
}

/// Returns a hint for each function that the bindings call and that the linker does not find, or finds with
/// another type. In the bindings of C and Zig the names of such functions begin with `exports_`; a command's
/// is `main`.
fn unlinked(output: &str) -> BTreeSet<String> {
    let after = |line: &str, sign: &str| {
        let name = line.split(sign).nth(1)?.split_whitespace().next()?.to_owned();
        (name.starts_with("exports_") || name == "main").then_some(name)
    };
    let hint = |line: &str| {
        if let Some(name) = after(line, "function signature mismatch: ") {
            return Some(format!(
                "`{name}` has another type than the component's WIT says: declare it as the header of \
                 the bindings does"
            ));
        }
        match after(line, "undefined symbol: ")?.as_str() {
            "main" => Some("the world exports wasi:cli/run: define `main`".to_owned()),
            name => Some(format!(
                "the world exports a function that no source of the component defines: define \
                 `{name}` as the header of the bindings declares it"
            )),
        }
    };
    output.lines().filter_map(hint).collect()
}

/// Returns a hint for the first symbol that two sources of a C or C++ component define.
fn defined_twice(output: &str) -> Option<String> {
    let (_, rest) = output.split_once("duplicate symbol: ")?;
    let symbol = match rest.lines().next()?.trim() {
        // The names that compilers give to `main`.
        "__original_main" | "__main_void" | "__main_argc_argv" => "main",
        symbol => symbol,
    };
    let source = |line: &str| {
        let (_, place) = line.split_once(">>> defined in /objects/")?;
        let (_, source) = place.strip_suffix("/object.o")?.split_once('%')?;
        Some(source.replace('%', "/"))
    };
    let mut sources: Vec<String> = rest.lines().skip(1).map_while(source).collect();
    sources.sort_by_key(|source| source.matches('/').count());
    let [first, .., last] = &sources[..] else { return None };
    Some(format!(
        "`{symbol}` is in `{first}` and in `{last}`, as every source below the folder of `source` is compiled: what \
         is no part of the component is left out with `exclude`, such as `exclude = [\"{last}\"]`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_of_zig_are_explained() {
        let check = |text: &str, expect: &str| {
            let got = hints(&mut ToolOutput::of(text, None));
            assert!(got.len() == 1 && got[0].contains(expect), "{text}: {got:?}");
        };
        check("wasm-ld: error: bindings.o: undefined symbol: exports_a_b", "define `exports_a_b`");
        check("wasm-ld: error: bindings.o: undefined symbol: main", "define `main`");
        check("wasm-ld: error: function signature mismatch: exports_a_b", "another type");
        check(
            "error: invalid option: \"bindings\"\ninfo: to access the help menu: zig build -h",
            "b.option([]const u8, \"bindings\"",
        );
        check(
            "wasm-ld: error: duplicate symbol: __original_main\n>>> defined in /objects/00001%tools%gen.c/object.o\n\
             >>> defined in /objects/00002%z.c/object.o\n",
            "`main` is in `z.c` and in `tools/gen.c`, as every source below the folder of `source` is compiled: \
             what is no part of the component is left out with `exclude`, such as `exclude = [\"tools/gen.c\"]`",
        );
        assert!(unlinked("wasm-ld: error: a.o: undefined symbol: helper").is_empty());
    }
}
