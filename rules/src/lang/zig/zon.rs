//! `build.zig.zon`: which files belong to a package and what it depends on.
//!
//! Reads the notation itself, as far as manifests use it: structs, lists and strings; any other
//! value is skipped. Whether the rest of a manifest makes sense is for zig to say.

/// What a manifest says, as far as a build has to know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// Files and folders that belong to the package; `None` if it does not say.
    pub(super) paths: Option<Vec<String>>,
    /// What it depends on, in the order of the file.
    pub(super) dependencies: Vec<Dependency>,
}

/// One entry of `.dependencies`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) url: Option<String>,
    pub(super) hash: Option<String>,
    pub(super) path: Option<String>,
}

/// Where and why a text is no manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Invalid {
    /// From 1.
    pub(super) line: usize,
    pub(super) reason: &'static str,
}

/// A value of the notation.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Struct(Vec<(String, Self)>),
    List(Vec<Self>),
    Text(String),
    /// A number, an enum literal, a truth value.
    Other,
}

impl Manifest {
    /// Reads the text of a manifest.
    pub(super) fn parse(text: &str) -> Result<Self, Invalid> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        parser.skip();
        if parser.at < text.len() {
            return Err(parser.invalid("expected the end of the file"));
        }
        let paths = value.get("paths").map(|paths| paths.texts().map(str::to_owned).collect());
        let dependencies = value.get("dependencies").map(Value::fields).unwrap_or_default();
        let dependencies = dependencies.iter().map(|(name, value)| {
            let text = |key| value.get(key).and_then(Value::text).map(str::to_owned);
            let (url, hash, path) = (text("url"), text("hash"), text("path"));
            Dependency { name: name.clone(), url, hash, path }
        });
        Ok(Self { paths, dependencies: dependencies.collect() })
    }
}

impl Value {
    fn fields(&self) -> &[(String, Self)] {
        match self {
            Self::Struct(fields) => fields,
            _ => &[],
        }
    }

    fn get(&self, name: &str) -> Option<&Self> {
        self.fields().iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let values: &[Self] = match self {
            Self::List(values) => values,
            _ => &[],
        };
        values.iter().filter_map(Self::text)
    }
}

/// How deep values may lie in one another.
const MAX_DEPTH: usize = 64;

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn invalid(&self, reason: &'static str) -> Invalid {
        Invalid { line: 1 + self.text[..self.at].matches('\n').count(), reason }
    }

    /// Passes over blanks and comments.
    fn skip(&mut self) {
        loop {
            let blank = self.rest().len() - self.rest().trim_start().len();
            self.at += blank;
            if !self.rest().starts_with("//") {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    /// Passes over `token` if it is next.
    fn eat(&mut self, token: &str) -> bool {
        self.skip();
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, Invalid> {
        if depth > MAX_DEPTH {
            return Err(self.invalid("the values lie too deep in one another"));
        }
        if self.eat(".{") {
            return self.members(depth);
        }
        if self.rest().starts_with('"') {
            return Ok(Value::Text(self.string()?));
        }
        if self.rest().starts_with("\\\\") {
            return Ok(Value::Text(self.lines()));
        }
        self.eat(".");
        if self.rest().starts_with('\'') {
            self.quoted('\'')?;
        } else if self.name()?.is_empty() {
            return Err(self.invalid("expected a value"));
        }
        Ok(Value::Other)
    }

    /// What stands between braces, and the closing one.
    fn members(&mut self, depth: usize) -> Result<Value, Invalid> {
        let (mut fields, mut values) = (Vec::new(), Vec::new());
        while !self.eat("}") {
            match self.field()? {
                Some(name) => fields.push((name, self.value(depth + 1)?)),
                None => values.push(self.value(depth + 1)?),
            }
            if !self.eat(",") {
                if self.eat("}") {
                    break;
                }
                return Err(self.invalid("expected `,` or `}`"));
            }
        }
        Ok(if fields.is_empty() { Value::List(values) } else { Value::Struct(fields) })
    }

    /// `.name =`, if that is next.
    fn field(&mut self) -> Result<Option<String>, Invalid> {
        self.skip();
        let start = self.at;
        if self.eat(".") && !self.rest().starts_with('{') {
            let name = self.name()?;
            if !name.is_empty() && self.eat("=") {
                return Ok(Some(name));
            }
        }
        self.at = start;
        Ok(None)
    }

    /// A name or a number; empty if there is none.
    fn name(&mut self) -> Result<String, Invalid> {
        if self.rest().starts_with("@\"") {
            self.at += 1;
            return self.string();
        }
        let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '+' | '-' | '.');
        let length = self.rest().find(|c| !part(c)).unwrap_or(self.rest().len());
        let name = self.rest()[..length].to_owned();
        self.at += length;
        Ok(name)
    }

    fn string(&mut self) -> Result<String, Invalid> {
        self.quoted('"')
    }

    /// A text between quotation marks.
    fn quoted(&mut self, mark: char) -> Result<String, Invalid> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((place, c)) = chars.next() {
            match c {
                '\n' => break,
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, c @ ('\\' | '"' | '\''))) => text.push(c),
                    _ => return Err(self.invalid("an escape sequence that `run` does not read")),
                },
                c if c == mark => {
                    self.at += place + c.len_utf8();
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err(self.invalid("a string without its end"))
    }

    /// A text of several lines, each after `\\`.
    fn lines(&mut self) -> String {
        let mut lines = Vec::new();
        while self.eat("\\\\") {
            let length = self.rest().find('\n').unwrap_or(self.rest().len());
            lines.push(&self.rest()[..length]);
            self.at += length;
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_dependencies_are_read() {
        let text = r#"
// A comment.
.{
    .name = .demo, // an enum literal
    .version = "1.0.0",
    .fingerprint = 0x5c3132af507c9092,
    .minimum_zig_version = "0.17.1",
    .dependencies = .{
        .crc = .{ .url = "https://host/crc.tar.gz", .hash = "crc-1.0.0-abc", .lazy = true },
        .@"my-lib" = .{ .path = "../lib" },
    },
    .paths = .{ "build.zig", "src", "" },
}
"#;
        let manifest = Manifest::parse(text).unwrap();
        let paths = ["build.zig", "src", ""].map(str::to_owned).to_vec();
        assert_eq!(manifest.paths, Some(paths));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            manifest.dependencies,
            [
                Dependency {
                    name: "crc".into(),
                    url: some("https://host/crc.tar.gz"),
                    hash: some("crc-1.0.0-abc"),
                    path: None,
                },
                Dependency { name: "my-lib".into(), path: some("../lib"), ..Default::default() },
            ]
        );
        assert_eq!(Manifest::parse(".{}").unwrap(), Manifest::default());
    }

    #[test]
    fn values_of_every_kind_are_passed_over() {
        let check = |text: &str, expected: Value| {
            assert_eq!(Parser { text, at: 0 }.value(0), Ok(expected), "{text}");
        };
        check("-1.5e+3", Value::Other);
        check("'a'", Value::Other);
        check(".literal", Value::Other);
        check("true", Value::Other);
        check(r#""a\"b\\""#, Value::Text("a\"b\\".into()));
        check("\\\\one\n  \\\\two\n", Value::Text("one\ntwo".into()));
        check(".{ .a, .{} }", Value::List(vec![Value::Other, Value::List(vec![])]));
        check(".{.a=1}", Value::Struct(vec![("a".into(), Value::Other)]));
    }

    #[test]
    fn what_is_no_manifest_is_told_with_its_line() {
        let check = |text: &str, line, reason| {
            assert_eq!(Manifest::parse(text), Err(Invalid { line, reason }), "{text}");
        };
        check("", 1, "expected a value");
        check(".{\n .a = \"x\n}", 2, "a string without its end");
        check(".{\n .a = 1\n .b = 2 }", 3, "expected `,` or `}`");
        check(".{} .{}", 1, "expected the end of the file");
        check(".{ .a = ", 1, "expected a value");
        check(r#".{ "\x00" }"#, 1, "an escape sequence that `run` does not read");
        check(&".{".repeat(100), 1, "the values lie too deep in one another");
    }
}
