//! Evaluates environment markers, to find out if a requirement holds for the interpreter inside a component.
//!
//! Source: the dependency specifiers' specification, "Environment markers", and the sets `extras` and
//! `dependency_groups` of PEP 751. Versions are compared by [`pep440_rs`]. The values of the interpreter's
//! variables are in [`guest`].

use std::collections::BTreeSet;
use std::str::FromStr as _;

use pep440_rs::{Version, VersionSpecifiers};

use super::guest;
use super::requirement::normalise;

/// The extras and dependency groups that are selected when a marker is evaluated.
#[derive(Debug, Clone, Default)]
pub(super) struct Selected {
    /// The names of the selected extras, normalised.
    pub(super) extras: BTreeSet<String>,
    /// The names of the selected dependency groups, normalised.
    pub(super) groups: BTreeSet<String>,
}

/// Returns true if `marker` holds; an absent marker holds. The error says what can't be understood.
pub(super) fn holds(marker: Option<&str>, selected: &Selected) -> Result<bool, String> {
    let Some(marker) = marker else { return Ok(true) };
    let wrong = |what: String| format!("`{marker}` is no marker: {what}");
    let tokens = tokens(marker).map_err(wrong)?;
    let mut parser = Parser { rest: &tokens, selected, depth: 0 };
    let value = parser.any().map_err(wrong)?;
    match parser.rest {
        [] => Ok(value),
        [token, ..] => Err(wrong(format!("unexpected `{}`", token.text()))),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// `(`, `)`, or a comparison such as `>=`.
    Sign(&'a str),
    /// A variable, or one of `and`, `or`, `in`, `not`.
    Word(&'a str),
    Text(&'a str),
}

impl<'a> Token<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Sign(text) | Self::Word(text) | Self::Text(text) => text,
        }
    }
}

fn tokens(marker: &str) -> Result<Vec<Token<'_>>, String> {
    let mut rest = marker.trim_start();
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let (token, length) = match first {
            '(' | ')' => (Token::Sign(&rest[..1]), 1),
            '\'' | '"' => {
                let end = rest[1..].find(first).ok_or("a quote is not closed")?;
                (Token::Text(&rest[1..=end]), end + 2)
            }
            '<' | '>' | '=' | '!' | '~' => {
                let end = rest.find(|c| !"<>=!~".contains(c)).unwrap_or(rest.len());
                (Token::Sign(&rest[..end]), end)
            }
            c if is_word(c) => {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                (Token::Word(&rest[..end]), end)
            }
            c => return Err(format!("unexpected `{c}`")),
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// The largest number of parentheses that may be open at once.
const MAX_DEPTH: usize = 64;

/// A parser that evaluates as it goes. It parses both sides of `and` and `or` in any case, so that errors are
/// found in either.
struct Parser<'t, 'm> {
    rest: &'t [Token<'m>],
    /// The number of open parentheses.
    depth: usize,
    selected: &'t Selected,
}

/// One side of a comparison.
enum Value<'a> {
    Text(&'a str),
    Set(&'a BTreeSet<String>),
    /// The variable `extra`, which equals any of the selected extras.
    Extra(&'a BTreeSet<String>),
}

impl<'t, 'm: 't> Parser<'t, 'm> {
    fn any(&mut self) -> Result<bool, String> {
        let mut value = self.all()?;
        while self.take(Token::Word("or")) {
            value |= self.all()?;
        }
        Ok(value)
    }

    fn all(&mut self) -> Result<bool, String> {
        let mut value = self.one()?;
        while self.take(Token::Word("and")) {
            value &= self.one()?;
        }
        Ok(value)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.take(Token::Sign("(")) {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(format!("more than {MAX_DEPTH} parentheses are open"));
            }
            let value = self.any()?;
            self.depth -= 1;
            return match self.take(Token::Sign(")")) {
                true => Ok(value),
                false => Err("`(` is not closed".to_owned()),
            };
        }
        let left = self.value()?;
        let comparison = match self.next()? {
            Token::Word("not") if self.take(Token::Word("in")) => "not in",
            Token::Sign(sign) if !"()".contains(sign) => sign,
            Token::Word("in") => "in",
            other => return Err(format!("`{}` is no comparison", other.text())),
        };
        let right = self.value()?;
        compare(left, comparison, right)
    }

    fn value(&mut self) -> Result<Value<'t>, String> {
        match self.next()? {
            Token::Text(text) => Ok(Value::Text(text)),
            Token::Word("extra") => Ok(Value::Extra(&self.selected.extras)),
            Token::Word("extras") => Ok(Value::Set(&self.selected.extras)),
            Token::Word("dependency_groups") => Ok(Value::Set(&self.selected.groups)),
            Token::Word(name) => match guest::variable(name) {
                Some(value) => Ok(Value::Text(value)),
                None => Err(format!("there is no variable `{name}`")),
            },
            Token::Sign(sign) => Err(format!("unexpected `{sign}`")),
        }
    }

    fn next(&mut self) -> Result<Token<'m>, String> {
        let (first, rest) = self.rest.split_first().ok_or("it ends too early")?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, token: Token<'_>) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == token => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }
}

fn compare(left: Value<'_>, comparison: &str, right: Value<'_>) -> Result<bool, String> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => compare_texts(left, comparison, right),
        (Value::Text(text), Value::Set(set)) if comparison == "in" => {
            Ok(set.contains(&normalise(text)))
        }
        (Value::Text(text), Value::Set(set)) if comparison == "not in" => {
            Ok(!set.contains(&normalise(text)))
        }
        (Value::Text(text), Value::Extra(set)) | (Value::Extra(set), Value::Text(text)) => {
            match comparison {
                "==" => Ok(set.contains(&normalise(text))),
                "!=" => Ok(!set.contains(&normalise(text))),
                _ => Err(format!("`extra` can't be compared by `{comparison}`")),
            }
        }
        _ => Err(format!("these can't be compared by `{comparison}`")),
    }
}

/// Compares two texts as versions if they are versions, and otherwise as text.
fn compare_texts(left: &str, comparison: &str, right: &str) -> Result<bool, String> {
    match comparison {
        "in" => return Ok(right.contains(left)),
        "not in" => return Ok(!right.contains(left)),
        _ => {}
    }
    let range = VersionSpecifiers::from_str(&format!("{comparison}{right}"));
    if let (Ok(version), Ok(range)) = (Version::from_str(left), range) {
        return Ok(range.contains(&version));
    }
    match comparison {
        "==" | "===" => Ok(left == right),
        "!=" => Ok(left != right),
        "<" => Ok(left < right),
        "<=" => Ok(left <= right),
        ">" => Ok(left > right),
        ">=" => Ok(left >= right),
        _ => Err(format!("`{left}` and `{right}` can't be compared by `{comparison}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected() -> Selected {
        let set = |name: &str| BTreeSet::from([name.to_owned()]);
        Selected { extras: set("socks"), groups: set("default") }
    }

    #[test]
    fn markers_hold_for_the_interpreter_inside_a_component() {
        let check = |marker: &str, expect: bool| {
            assert_eq!(holds(Some(marker), &selected()), Ok(expect), "{marker}");
        };
        check("python_version < '3.11'", false);
        check("python_version >= \"3.9\"", true);
        check("'3.9' <= python_version", true);
        check("python_full_version == '3.14.*'", true);
        check("python_full_version ~= '3.13.0'", false);
        check("sys_platform != 'win32'", true);
        check("sys_platform == 'wasi' and platform_machine == 'wasm32'", true);
        check("platform_system == 'Linux' or os_name == 'posix'", true);
        check("os_name == 'nt' and os_name == 'posix' or os_name == 'posix'", true);
        check("os_name == 'nt' and (os_name == 'posix' or os_name == 'posix')", false);
        check("python_version in '3.13, 3.14'", true);
        check("python_version not in '3.13, 3.14'", false);
        check("platform_python_implementation != 'PyPy'", true);
        check("platform_machine < 'x'", true);
        check("extra == 'Socks'", true);
        check("extra == 'other'", false);
        check("'socks' in extras and 'dev' not in dependency_groups", true);
        check("'default' in dependency_groups", true);
        assert_eq!(holds(None, &Selected::default()), Ok(true));
    }

    #[test]
    fn what_is_no_marker_is_told() {
        let check = |marker: &str, expect: &str| {
            let error = holds(Some(marker), &selected()).unwrap_err();
            assert_eq!(error, format!("`{marker}` is no marker: {expect}"));
        };
        let deep = format!("{}os_name == 'nt'{}", "(".repeat(500_000), ")".repeat(500_000));
        check(&deep, "more than 64 parentheses are open");
        check("", "it ends too early");
        check("python_version", "it ends too early");
        check("python_version >= '3", "a quote is not closed");
        check("pyhton_version >= '3'", "there is no variable `pyhton_version`");
        check("os_name == 'nt' os_name", "unexpected `os_name`");
        check("(os_name == 'nt'", "`(` is not closed");
        check("os_name 'nt' os_name", "`nt` is no comparison");
        check("os_name ~= 'nt'", "`posix` and `nt` can't be compared by `~=`");
        check("extra < 'a'", "`extra` can't be compared by `<`");
        check("os_name == §", "unexpected `§`");
    }
}
