//! Evaluates the condition of a manifest's `[target.'…']`, to find out if the dependencies in that table may
//! belong to a component. Source: the Cargo reference, "Platform specific dependencies".

use super::process::TARGET;

/// The known properties of the target, by the names that conditions use. Any other operating system, family
/// or processor is not the target's.
const KNOWN: [(&str, &str); 5] = [
    ("target_arch", "wasm32"),
    ("target_os", "wasi"),
    ("target_family", "wasm"),
    ("target_pointer_width", "32"),
    ("target_endian", "little"),
];

/// Returns true if a target with this name or condition may be that of components. What is not understood may
/// be.
pub(super) fn may_hold(spec: &str) -> bool {
    let spec = spec.trim();
    let Some(condition) = spec.strip_prefix("cfg(").and_then(|rest| rest.strip_suffix(')')) else {
        return spec == TARGET;
    };
    let mut parser = Parser { rest: condition };
    let value = parser.one(0);
    // If something is left, Cargo will say what is wrong with it.
    value != Some(false) || !parser.rest.trim().is_empty()
}

/// A recursive descent parser that evaluates a condition. `None` stands for a value that is not known here.
struct Parser<'a> {
    rest: &'a str,
}

/// The depth to which a condition is evaluated.
const MAX_DEPTH: usize = 50;

impl<'a> Parser<'a> {
    fn one(&mut self, depth: usize) -> Option<bool> {
        let name = self.word();
        if depth < MAX_DEPTH && self.takes("(") {
            let parts = self.list(depth + 1);
            let has = |value| parts.contains(&value);
            let is = |decisive| match () {
                () if has(Some(decisive)) => Some(decisive),
                () if has(None) => None,
                () => Some(!decisive),
            };
            return match (name, parts.as_slice()) {
                ("any", _) => is(true),
                ("all", _) => is(false),
                ("not", [part]) => part.map(|value| !value),
                _ => None,
            };
        }
        if self.takes("=") {
            let (value, rest) = self.rest.trim_start().strip_prefix('"')?.split_once('"')?;
            self.rest = rest;
            let known = KNOWN.iter().find(|(key, _)| *key == name);
            return known.map(|(_, ours)| *ours == value);
        }
        matches!(name, "unix" | "windows").then_some(false)
    }

    /// Returns the values of the parts up to the closing parenthesis.
    fn list(&mut self, depth: usize) -> Vec<Option<bool>> {
        let mut parts = Vec::new();
        while !self.takes(")") {
            let before = self.rest.len();
            parts.push(self.one(depth));
            self.takes(",");
            if self.rest.len() == before {
                // This is not a condition.
                self.rest = "?";
                return vec![None];
            }
        }
        parts
    }

    fn word(&mut self) -> &'a str {
        let text = self.rest.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.rest = rest;
        word
    }

    fn takes(&mut self, token: &str) -> bool {
        let taken = self.rest.trim_start().strip_prefix(token);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_those_of_components() {
        let check = |spec: &str, expect: bool| assert_eq!(may_hold(spec), expect, "{spec}");
        check("wasm32-wasip2", true);
        check("x86_64-unknown-linux-gnu", false);
        check("cfg(unix)", false);
        check("cfg(not(unix))", true);
        check("cfg(target_family = \"wasm\")", true);
        check("cfg( not ( target_arch=\"wasm32\" ) )", false);
        check("cfg(any(windows, target_os = \"linux\"))", false);
        check("cfg(any(windows, all(target_arch = \"wasm32\", target_os = \"wasi\")))", true);
        check("cfg(all(target_arch = \"wasm32\", target_os = \"unknown\",))", false);
        check("cfg(all())", true);
        check("cfg(any())", false);
        // The values of these conditions are not known here.
        check("cfg(target_env = \"p2\")", true);
        check("cfg(not(feature_of_the_compiler))", true);
        check("cfg(all(unix, of_the_compiler))", false);
        check("cfg(any(unix, of_the_compiler))", true);
        for broken in
            ["cfg(all(unix)", "cfg(unix windows)", "cfg(all(unix =))", "cfg(not(unix, unix))"]
        {
            check(broken, true);
        }
        check(&format!("cfg({}", "not(".repeat(10_000)), false);
        check(&format!("cfg({}{})", "not(".repeat(10_000), ")".repeat(10_000)), true);
    }
}
