//! Finds the packages that the text of a WIT file declares, those that it refers to, and the features that gate parts of it.
//!
//! `wit-parser` does not tell the places of references to other packages. Completion needs them, to say where
//! a missing package is asked for, and to add a version to a reference that has none. In WIT's grammar, the
//! form `name:name/name` occurs only in such references, so looking at tokens is enough. A text that is not
//! WIT is left for `wit-parser` to refuse.

use std::ops::Range;

use semver::Version;
use wit_parser::PackageName;

/// The result of [`scan`], in the order of the text.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) declared: Vec<PackageName>,
    pub(super) references: Vec<Reference>,
    pub(super) gates: Vec<Gate>,
}

/// A gate `@unstable(feature = name)`, which hides what follows unless the feature is switched on.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) feature: String,
    /// The range of the gate, from `@` to the closing bracket.
    pub(super) span: Range<usize>,
}

/// A reference of the form `namespace:name/item[@version]`.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) package: PackageName,
    /// The range of the reference up to the end of the item, where a version would follow.
    pub(super) span: Range<usize>,
}

/// Scans the text of one WIT file.
pub(super) fn scan(text: &str) -> Scan {
    let tokens: Vec<Token<'_>> = Tokens { text, at: 0 }.collect();
    let mut scan = Scan::default();
    for index in 0..tokens.len() {
        scan.gates.extend(gate(&tokens[index..]));
        let [namespace, colon, name, rest @ ..] = &tokens[index..] else { continue };
        if colon.text != ":" || !namespace.is_name() || !name.is_name() {
            continue;
        }
        match rest {
            [slash, item, rest @ ..] if slash.text == "/" && item.is_name() => {
                let package = package_name(namespace, name, rest);
                let span = namespace.start..item.end();
                scan.references.push(Reference { package, span });
            }
            _ if index > 0 && tokens[index - 1].text == "package" => {
                scan.declared.push(package_name(namespace, name, rest));
            }
            _ => {}
        }
    }
    scan
}

fn gate(tokens: &[Token<'_>]) -> Option<Gate> {
    let [unstable, open, word, equals, name, close, ..] = tokens else { return None };
    let texts = [unstable.text, open.text, word.text, equals.text, close.text];
    let is_gate = texts == ["@unstable", "(", "feature", "=", ")"];
    let feature = name.text.trim_start_matches('%').to_owned();
    is_gate.then(|| Gate { feature, span: unstable.start..close.end() })
}

fn package_name(namespace: &Token<'_>, name: &Token<'_>, rest: &[Token<'_>]) -> PackageName {
    let version = rest.first().and_then(|token| token.text.strip_prefix('@'));
    PackageName {
        namespace: namespace.text.trim_start_matches('%').to_owned(),
        name: name.text.trim_start_matches('%').to_owned(),
        version: version.and_then(|version| Version::parse(version).ok()),
    }
}

/// A name, an `@version`, or one other character.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    start: usize,
}

impl Token<'_> {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }

    fn is_name(&self) -> bool {
        self.text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '%')
    }
}

struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let start = self.at;
        let rest = &self.text[start..];
        let first = rest.chars().next()?;
        let length = match first {
            '%' => 1 + leading(&rest[1..], is_name_character),
            '@' => 1 + version_length(&rest[1..]),
            _ if first.is_ascii_alphanumeric() => leading(rest, is_name_character),
            _ => first.len_utf8(),
        };
        self.at += length;
        Some(Token { text: &rest[..length], start })
    }
}

impl Tokens<'_> {
    /// Skips white space, comments (block comments nest) and string literals.
    fn skip_blanks(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            self.at += match rest.as_bytes() {
                [b' ' | b'\t' | b'\r' | b'\n', ..] => 1,
                [b'/', b'/', ..] => leading(rest, |byte| byte != b'\n'),
                [b'/', b'*', ..] => block_comment_length(rest),
                [b'"', ..] => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
                _ => return,
            };
        }
    }
}

fn leading(text: &str, accept: impl Fn(u8) -> bool) -> usize {
    text.bytes().position(|byte| !accept(byte)).unwrap_or(text.len())
}

fn is_name_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Returns the length of a version, which ends before the `.` of `.{names}`.
fn version_length(text: &str) -> usize {
    let length = leading(text, |byte| is_name_character(byte) || byte == b'.' || byte == b'+');
    text[..length].trim_end_matches('.').len()
}

fn block_comment_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, declared: &[&str], references: &[(&str, &str)]) {
        let scan = scan(text);
        let names: Vec<String> = scan.declared.iter().map(PackageName::to_string).collect();
        assert_eq!(names, declared);
        let found: Vec<(String, &str)> = scan
            .references
            .iter()
            .map(|reference| (reference.package.to_string(), &text[reference.span.clone()]))
            .collect();
        let expect: Vec<(String, &str)> =
            references.iter().map(|(package, text)| ((*package).to_owned(), *text)).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn packages() {
        check("package demo:calc;", &["demo:calc"], &[]);
        check("package demo:calc@0.1.0;", &["demo:calc@0.1.0"], &[]);
        check("/// Docs.\npackage demo:calc@1.0.0-rc.1;", &["demo:calc@1.0.0-rc.1"], &[]);
        check("package a:b;\npackage c:d@2.0.0 { interface i {} }", &["a:b", "c:d@2.0.0"], &[]);
        check("package %type:%use;", &["type:use"], &[]);
    }

    #[test]
    fn references() {
        check("import wasi:io/poll;", &[], &[("wasi:io", "wasi:io/poll")]);
        check("include wasi:http/proxy@0.2.4;", &[], &[("wasi:http@0.2.4", "wasi:http/proxy")]);
        check("use a:b/c@1.2.3.{x, y as z};", &[], &[("a:b@1.2.3", "a:b/c")]);
        check("use a:b/c@1.2.3-rc.1.{x};", &[], &[("a:b@1.2.3-rc.1", "a:b/c")]);
        check("use a:b/c.{x};", &[], &[("a:b", "a:b/c")]);
        check("export log: a:b/c@1.0.0;", &[], &[("a:b@1.0.0", "a:b/c")]);
        check("use wasi:io / poll . {x};", &[], &[("wasi:io", "wasi:io / poll")]);
    }

    #[test]
    fn gates() {
        let text = "@unstable(feature = more-words) f: func();\n@since(version = 1.0.0) g: func();";
        let gates = scan(text).gates;
        assert_eq!(gates.len(), 1);
        assert_eq!(gates[0].feature, "more-words");
        assert_eq!(&text[gates[0].span.clone()], "@unstable(feature = more-words)");
        assert!(scan("// @unstable(feature = x)\n@unstable(feature x)").gates.is_empty());
    }

    #[test]
    fn what_is_neither() {
        check("f: func(a: u32, b: list<u8>) -> string;", &[], &[]);
        check("// use a:b/c;\n/* use a:b/c /* d:e/f */ g:h/i */", &[], &[]);
        check("@external-id(\"a:b/c\") f: func();", &[], &[]);
        check("/* not closed a:b/c", &[], &[]);
        check("@since(version = 0.2.0) x: y", &[], &[]);
        check("package é:ü/ß; a:", &[], &[]);
    }
}
