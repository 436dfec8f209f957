//! What esbuild, tsc and jco say, in the project's terms.

use crate::lang::ToolOutput;

/// What the tools of JavaScript and TypeScript can't know of components.
pub(super) fn hints(output: &mut ToolOutput<'_>) -> Vec<String> {
    let hint = if output.text.contains("Error loading module \"http") {
        "nothing is downloaded while a component is made: a module is a file of the project or of a \
         package in package-lock.json"
    } else if output.text.contains("Could not resolve \"node:")
        || output.text.contains("built into node")
    {
        "the modules of Node.js are not there in a component: what it may use, its WIT world imports"
    } else if output.text.contains("Could not resolve \"wasi:") {
        "a module imports an interface under the name that the WIT world has for it, with its version"
    } else if output.text.contains("Could not resolve \"") {
        "packages come from package-lock.json: add one with `npm install --package-lock-only NAME`"
    } else if output.text.contains("error TS2307")
        || output.text.contains("error TS7016")
        || output.text.contains("error TS2688")
    {
        "of devDependencies only `@types/*` and `@tsconfig/*` are there: a package that the sources \
         import belongs to `dependencies`"
    } else if output.text.contains("fits-world.ts") {
        "what `source` exports has other types than its WIT world asks for"
    } else {
        return Vec::new();
    };
    vec![hint.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_of_the_tools_are_explained() {
        let check = |text: &str, expect: &str| {
            let got = hints(&mut ToolOutput { text: text.to_owned(), command: None });
            assert!(got.len() == 1 && got[0].contains(expect), "{text}: {got:?}");
        };
        check("Error loading module \"https://192.0.2.1/a.js\"", "nothing is downloaded");
        check("[ERROR] Could not resolve \"node:fs\"", "modules of Node.js");
        check("[ERROR] Could not resolve \"wasi:cli/stdout\"", "the WIT world has for it");
        check("[ERROR] Could not resolve \"slugify\"", "package-lock.json");
        check("a.ts:1:8 - error TS7016: Could not find a declaration file", "@types/*");
        check("../types/fits-world.ts:6:11 - error TS1360: Type", "its WIT world asks for");
    }
}
