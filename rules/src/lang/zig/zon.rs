//! Reads `build.zig.zon`: a package's name, the files that belong to it, and its dependencies.
//!
//! The parser knows the notation only as far as manifests use it: structs, lists, strings, and other values
//! as words. Whether the rest of a manifest makes sense is left to zig.

/// The part of a manifest that a build needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The files and folders that belong to the package; `None` if it does not say.
    pub(super) paths: Option<Vec<String>>,
    /// The dependencies, in the order of the file.
    pub(super) dependencies: Vec<Dependency>,
    /// The start of the package's hash, or what is missing in the manifest for that.
    pub(super) identity: Result<Identity, &'static str>,
}

/// The fields that tell packages and their versions apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) version: String,
    /// The lower half of `.fingerprint`.
    pub(super) id: u32,
}

/// An entry of `.dependencies`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) url: Option<String>,
    pub(super) hash: Option<String>,
    pub(super) path: Option<String>,
}

/// An error in the text of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Invalid {
    /// The number of the line, from 1.
    pub(super) line: usize,
    pub(super) reason: &'static str,
}

/// A value of the notation.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Struct(Vec<(String, Self)>),
    List(Vec<Self>),
    Text(String),
    /// An enum literal, without its leading dot.
    Enum(String),
    /// A number or a boolean, as text.
    Word(String),
    /// A character literal.
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
        let dependencies = dependencies.collect();
        Ok(Self { paths, dependencies, identity: Identity::of(&value) })
    }
}

/// The largest length of a name and of a version, in bytes.
const MAX_NAME: usize = 32;

impl Identity {
    fn of(manifest: &Value) -> Result<Self, &'static str> {
        let name = match manifest.get("name").ok_or("there is no `.name`")? {
            Value::Enum(name) if is_identifier(name) => name.clone(),
            _ => return Err("`.name` is not an enum literal of at most 32 characters"),
        };
        let version = match manifest.get("version").ok_or("there is no `.version`")? {
            Value::Text(text) if text.len() <= MAX_NAME && semver::Version::parse(text).is_ok() => {
                text.clone()
            }
            _ => return Err("`.version` is not a semantic version of at most 32 characters"),
        };
        let number = match manifest.get("fingerprint").ok_or("there is no `.fingerprint`")? {
            Value::Word(text) => number(text),
            _ => None,
        };
        let number = number.ok_or("`.fingerprint` is not a number of 64 bits")?;
        let id = u32::try_from(number & u64::from(u32::MAX)).expect("the upper half is cut off");
        Ok(Self { name, version, id })
    }
}

fn is_identifier(name: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(part)
}

/// Reads an integer in Zig's notation.
fn number(text: &str) -> Option<u64> {
    let digits = text.replace('_', "");
    let bases = [("0x", 16), ("0o", 8), ("0b", 2)];
    let based = bases.iter().find_map(|(mark, base)| Some((digits.strip_prefix(mark)?, *base)));
    let (digits, base) = based.unwrap_or((&digits, 10));
    u64::from_str_radix(digits, base).ok().filter(|_| !digits.starts_with(['+', '-']))
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

/// The largest depth to which values may be nested.
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

    /// Skips blanks and comments.
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

    /// Skips blanks and comments, and then `token` if it is next. Returns true if it was.
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
        if self.rest().starts_with('\'') {
            self.quoted('\'')?;
            return Ok(Value::Other);
        }
        let dotted = self.eat(".");
        match self.name()? {
            name if name.is_empty() => Err(self.invalid("expected a value")),
            name if dotted => Ok(Value::Enum(name)),
            word => Ok(Value::Word(word)),
        }
    }

    /// Reads what stands between braces, and the closing brace.
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

    /// Reads `.name =` if that is next, and returns the name.
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

    /// Reads a name or a number; empty if there is none.
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

    /// Reads a text between quotation marks.
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

    /// Reads a text of several lines, each of which begins with `\\`.
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
        let identity = Identity { name: "demo".into(), version: "1.0.0".into(), id: 0x507c_9092 };
        assert_eq!(manifest.identity, Ok(identity));
        let empty = Manifest::parse(".{}").unwrap();
        assert!(empty.paths.is_none() && empty.dependencies.is_empty());
    }

    #[test]
    fn what_a_hash_begins_with_has_to_be_there() {
        let check = |text: &str, expect: Result<u32, &str>| {
            let identity = Manifest::parse(&format!(".{{ {text} }}")).unwrap().identity;
            assert_eq!(identity.map(|identity| identity.id), expect, "{text}");
        };
        let whole = |number: &str| {
            format!(".name = .a_1, .version = \"1.0.0-dev.2+x\", .fingerprint = {number}")
        };
        check(&whole("0x1_0000_0002"), Ok(2));
        check(&whole("4294967299"), Ok(3));
        check(&whole("0b101"), Ok(5));
        let no_number = Err("`.fingerprint` is not a number of 64 bits");
        check(&whole("-1"), no_number);
        check(&whole("0x10000000000000000"), no_number);
        check(&whole("\"1\""), no_number);
        check(".name = .a, .version = \"1.0.0\"", Err("there is no `.fingerprint`"));
        let no_version = Err("`.version` is not a semantic version of at most 32 characters");
        check(".name = .a, .version = \"1.0\"", no_version);
        check(".name = .a, .version = .v1", no_version);
        check(".name = .a", Err("there is no `.version`"));
        let no_name = Err("`.name` is not an enum literal of at most 32 characters");
        check(".name = \"a\"", no_name);
        check(&format!(".name = .{}", "a".repeat(33)), no_name);
        check(".name = .@\"a-b\"", no_name);
        check("", Err("there is no `.name`"));
    }

    #[test]
    fn values_of_every_kind_are_passed_over() {
        let check = |text: &str, expected: Value| {
            assert_eq!(Parser { text, at: 0 }.value(0), Ok(expected), "{text}");
        };
        check("-1.5e+3", Value::Word("-1.5e+3".into()));
        check("'a'", Value::Other);
        check(".literal", Value::Enum("literal".into()));
        check("true", Value::Word("true".into()));
        check(r#""a\"b\\""#, Value::Text("a\"b\\".into()));
        check("\\\\one\n  \\\\two\n", Value::Text("one\ntwo".into()));
        check(".{ .a, .{} }", Value::List(vec![Value::Enum("a".into()), Value::List(vec![])]));
        check(".{.a=1}", Value::Struct(vec![("a".into(), Value::Word("1".into()))]));
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
