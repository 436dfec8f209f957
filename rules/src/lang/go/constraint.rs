//! Build constraints: finds the files that can't belong to a package for `GOOS=wasip1`, `GOARCH=wasm`.
//!
//! The go command decides which files are compiled. This file finds out, before the go command runs, which
//! packages may need which others. What it can't tell, such as a tag of the user's, it leaves to the go
//! command. See `go help buildconstraint`.

use std::collections::BTreeSet;

/// The operating systems that a part of a file name or a tag may name.
const SYSTEMS: [&str; 18] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];

/// The processors that a part of a file name or a tag may name.
const PROCESSORS: [&str; 24] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

/// Returns true if the file `name`, which begins with `head`, is certainly not compiled. `tags` are the
/// user's.
pub(super) fn excludes(name: &str, head: &str, tags: &BTreeSet<String>) -> bool {
    let is_false = |text| Parser::holds(text, tags) == Some(false);
    !suits_name(name) || expression(head).is_some_and(is_false)
}

/// Returns true if a file that begins with `head` is for builds without cgo.
pub(super) fn is_without_cgo(head: &str) -> bool {
    expression(head).is_some_and(|text| text.replace(' ', "").contains("!cgo"))
}

/// Returns true if the system and processor in a file's name are ours: `x_linux.go` is for another system.
fn suits_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    // The part before the first `_` names no system.
    let Some((_, rest)) = stem.split_once('_') else { return true };
    let mut words: Vec<&str> = rest.split('_').collect();
    if words.last() == Some(&"test") {
        words.pop();
    }
    let is_system = |word: &str| SYSTEMS.contains(&word);
    let is_processor = |word: &str| PROCESSORS.contains(&word);
    match words.as_slice() {
        [.., system, processor] if is_system(system) && is_processor(processor) => {
            (*system, *processor) == ("wasip1", "wasm")
        }
        [.., word] if is_system(word) || is_processor(word) => ["wasip1", "wasm"].contains(word),
        _ => true,
    }
}

/// Returns the expression after `//go:build`, if there is one before the package clause.
fn expression(head: &str) -> Option<&str> {
    let mut lines = head.lines().map(str::trim).take_while(|line| !line.starts_with("package "));
    lines.find_map(|line| line.strip_prefix("//go:build "))
}

/// A recursive descent parser that evaluates an expression of tags. `None` stands for a value that is not
/// known here.
struct Parser<'a> {
    rest: &'a str,
    tags: &'a BTreeSet<String>,
    /// The number of open parentheses and negations.
    depth: usize,
}

/// The depth to which an expression is evaluated. The go command itself stops at 1000.
const MAX_DEPTH: usize = 100;

impl<'a> Parser<'a> {
    fn holds(text: &'a str, tags: &'a BTreeSet<String>) -> Option<bool> {
        let mut parser = Parser { rest: text, tags, depth: 0 };
        let value = parser.any();
        // If something is left, the go command will say what is wrong with it.
        if parser.rest.trim().is_empty() { value } else { None }
    }

    fn any(&mut self) -> Option<bool> {
        self.joined("||", true, Self::all)
    }

    fn all(&mut self) -> Option<bool> {
        self.joined("&&", false, Self::one)
    }

    /// Evaluates parts with a `token` between them. One part with the value `decisive` decides the whole.
    fn joined(
        &mut self,
        token: &str,
        decisive: bool,
        part: fn(&mut Self) -> Option<bool>,
    ) -> Option<bool> {
        let mut value = part(self);
        while self.take(token) {
            let both = [value, part(self)];
            value = match both.contains(&Some(decisive)) {
                true => Some(decisive),
                false if both.contains(&None) => None,
                false => Some(!decisive),
            };
        }
        value
    }

    fn one(&mut self) -> Option<bool> {
        if self.depth > MAX_DEPTH {
            // The go command decides, as with everything that is not known here.
            self.rest = "";
            return None;
        }
        if self.take("!") {
            self.depth += 1;
            let value = self.one().map(|value| !value);
            self.depth -= 1;
            return value;
        }
        if self.take("(") {
            self.depth += 1;
            let value = self.any();
            self.depth -= 1;
            return if self.take(")") { value } else { None };
        }
        let rest = self.rest.trim_start();
        let is_tag = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let (tag, rest) = rest.split_at(rest.find(|c| !is_tag(c)).unwrap_or(rest.len()));
        self.rest = rest;
        value(tag, self.tags)
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        rest.inspect(|rest| self.rest = rest).is_some()
    }
}

/// Returns true if a tag is set; `None` if only the go command knows, as with versions of Go and experiments.
fn value(tag: &str, tags: &BTreeSet<String>) -> Option<bool> {
    let is_version = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    match tag {
        "wasip1" | "wasm" | "gc" => Some(true),
        _ if tags.contains(tag) => Some(true),
        _ if tag.strip_prefix("go").is_some_and(is_version) => None,
        _ if tag.is_empty() || tag.starts_with("goexperiment.") => None,
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(name: &str, head: &str) -> bool {
        super::excludes(name, head, &BTreeSet::from(["mine".to_owned()]))
    }

    #[test]
    fn a_files_name_may_exclude_it() {
        let check = |name: &str, excluded: bool| assert_eq!(excludes(name, ""), excluded, "{name}");
        for name in
            ["a.go", "linux.go", "a_wasip1.go", "a_wasm.go", "a_wasip1_wasm.go", "a_unix.go"]
        {
            check(name, false);
        }
        for name in ["a_linux.go", "a_arm64.go", "a_linux_wasm.go", "a_js.go", "a_wasip1_arm.go"] {
            check(name, true);
        }
    }

    #[test]
    fn a_constraint_may_exclude_a_file() {
        let check = |text: &str, excluded: bool| {
            let head = format!("// Words.\n\n//go:build {text}\n\npackage a");
            assert_eq!(excludes("a.go", &head), excluded, "{text}");
        };
        check("wasip1", false);
        check("ignore", true);
        check("linux || (wasip1 && wasm)", false);
        check("!wasip1", true);
        check("!(linux && mine)", false);
        check("mine", false);
        check("!mine", true);
        check("tools", true);
        check("!tools", false);
        check("goexperiment.x && go1.99", false);
        check("mine && linux", true);
        check("mine || linux", false);
        check("unix || windows", true);
        check("go1.21 && !cgo", false);
        check("linux &&", true);
        check("linux)", false);
        // These are nested deeper than any stack would allow.
        check(&format!("{}linux{}", "(".repeat(500_000), ")".repeat(500_000)), false);
        check(&format!("{}linux", "!".repeat(500_000)), false);
        assert!(!excludes("a.go", "package a\n//go:build ignore"), "too late in the file");
    }
}
