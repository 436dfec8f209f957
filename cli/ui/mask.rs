//! Keeps secrets out of everything that is printed, whoever wrote it.
//!
//! What is secret is known from the environment and from run.toml. It is kept for the whole process, as
//! standard output and standard error are the process's, too: no line may go around it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use rules::redact::{self, Known};
use serde_json::Value;

static KNOWN: RwLock<Option<Known>> = RwLock::new(None);

/// A variable's value that is shorter is no secret: `true`, `basic`.
const SHORTEST: usize = 8;

/// So many bytes of a client's configuration are looked through.
const LONGEST_FILE: u64 = 1 << 20;

/// Remembers the secrets of the environment: values of variables that name one, and what of addresses in
/// any variable is secret (proxies, indexes).
pub(crate) fn learn_environment(environment: &BTreeMap<OsString, OsString>) {
    let mut known = Known::default();
    for (name, value) in environment {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        let is_token = name == "RUN_AUTH_TOKEN";
        // A path is where a secret lies, not the secret.
        let is_secret =
            redact::names_a_secret(&name) && value.len() >= SHORTEST && !value.starts_with('/');
        if is_token || is_secret {
            known.extend([&*value]);
        }
        known.extend_from_url(&value);
    }
    learn(&known);
}

/// Remembers the secrets of the files by which clients of registries are configured: a registry may echo what it
/// was sent, and the client says it on. What can't be read has none.
pub(crate) fn learn_files(files: impl IntoIterator<Item = PathBuf>) {
    let mut secrets = Known::default();
    for file in files {
        let mut bytes = Vec::new();
        let opened = cache::open_regular(&file);
        if opened.is_ok_and(|file| file.take(LONGEST_FILE).read_to_end(&mut bytes).is_ok()) {
            secrets.extend_from_settings(&String::from_utf8_lossy(&bytes));
        }
    }
    learn(&secrets);
}

/// Remembers further secrets.
pub(crate) fn learn(secrets: &Known) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.get_or_insert_default().merge(secrets);
}

/// A text of ours, which may quote addresses and what clients of registries said.
pub(crate) fn text(text: &str) -> String {
    without_commands(&known(&redact::mask(text)))
}

/// A text without what a terminal would take for a command, but for colours: names of files and what servers say
/// are quoted in it.
fn without_commands(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
        shown.push_str(&rest[..at]);
        let behind = &rest[at..];
        let color = color(behind);
        match behind.chars().next() {
            _ if color > 0 => shown.push_str(&behind[..color]),
            // The end of a line on other systems.
            Some('\r') if behind[1..].starts_with('\n') => {}
            Some(char) => shown.extend(char.escape_default()),
            None => {}
        }
        let length = behind.chars().next().map_or(0, char::len_utf8);
        rest = &behind[color.max(length)..];
    }
    shown + rest
}

/// The length of the colour (ECMA-48, section 8.3.117, SGR) that a text starts with; 0 if it starts with none.
fn color(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\u{1b}[") else { return 0 };
    let digits = rest.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(rest.len());
    if rest[digits..].starts_with('m') { 2 + digits + 1 } else { 0 }
}

/// The output of a tool in a sandbox: it may quote source code, so it keeps all but what is known.
pub(crate) fn output(text: &str) -> Cow<'_, str> {
    known(text)
}

/// Every text in a JSON value.
pub(crate) fn json(value: &Value) -> Value {
    match value {
        Value::String(text) => self::text(text).into(),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), json(value)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

fn known(text: &str) -> Cow<'_, str> {
    match &*KNOWN.read().unwrap_or_else(PoisonError::into_inner) {
        Some(known) => Cow::Owned(known.mask(text).into_owned()),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_colours_only() {
        let check = |given: &str, expect: &str| assert_eq!(without_commands(given), expect);
        check("a\nb\tc\r\nd", "a\nb\tc\nd");
        check("\u{1b}[1;32mgood\u{1b}[0m", "\u{1b}[1;32mgood\u{1b}[0m");
        check("\u{1b}]0;owned\u{7}\u{1b}[2Jx", "\\u{1b}]0;owned\\u{7}\\u{1b}[2Jx");
        check("a\rb\u{9b}2J\u{7f}", "a\\rb\\u{9b}2J\\u{7f}");
        check("\u{1b}", "\\u{1b}");
    }

    #[test]
    fn what_the_environment_holds_is_hidden_everywhere() {
        let variables = [
            ("RUN_AUTH_TOKEN", "t0k3n"),
            ("NPM_TOKEN", "npm-value-1"),
            ("HTTPS_PROXY", "http://me:proxy-pass@proxy:80"),
            ("SECRET_FILE_TOKEN", "/run/secrets/x"),
            ("USE_TOKEN", "true"),
        ];
        learn_environment(&variables.map(|(name, value)| (name.into(), value.into())).into());
        let check = |given: &str, expect: &str| assert_eq!(text(given), expect);
        check("a t0k3n, npm-value-1 and proxy-pass", "a ***, *** and ***");
        check("true /run/secrets/x", "true /run/secrets/x");
        check("at https://h/?a=b", "at https://h/?a=***");
        assert_eq!(output("x t0k3n fetch(\"https://h/?a=b\")"), "x *** fetch(\"https://h/?a=b\")");
        let value = serde_json::json!({"a": ["t0k3n", 1], "b": {"c": "npm-value-1"}});
        assert_eq!(json(&value), serde_json::json!({"a": ["***", 1], "b": {"c": "***"}}));
    }
}
