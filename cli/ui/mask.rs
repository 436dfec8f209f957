//! Keeps secrets out of everything that is printed, whoever wrote it.
//!
//! The secrets are known from the environment, from run.toml, and from the configuration files of registries'
//! clients. They are kept in a static variable, because standard output and standard error belong to the
//! whole process, too, and every line has to pass through here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use rules::redact::{self, Known};
use serde_json::Value;

static KNOWN: RwLock<Option<Known>> = RwLock::new(None);

/// The shortest value of a variable that counts as a secret, in bytes. Shorter ones are words such as `true`
/// and `basic`.
const SHORTEST: usize = 8;

/// The number of bytes of a client's configuration file that are searched for secrets.
const LONGEST_FILE: u64 = 1 << 20;

/// Remembers the secrets of the environment: the values of variables whose name says so, and the secret parts
/// of addresses in any variable (proxies, indexes).
pub(crate) fn learn_environment(environment: &BTreeMap<OsString, OsString>) {
    let mut known = Known::default();
    for (name, value) in environment {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        let is_token = name == "RUN_AUTH_TOKEN";
        // A path says where a secret lies; it is not the secret.
        let is_secret =
            redact::names_a_secret(&name) && value.len() >= SHORTEST && !value.starts_with('/');
        if is_token || is_secret {
            known.extend([&*value]);
        }
        known.extend_from_url(&value);
    }
    learn(&known);
}

/// Remembers the secrets in the configuration files of registries' clients, because a registry may echo them,
/// and the client may print that. A file that can't be read is skipped.
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

/// Remembers a further secret, with each of its lines.
pub(crate) fn learn_secret(secret: &str) {
    let mut known = Known::default();
    known.extend([secret]);
    known
        .extend(secret.lines().filter(|line| line.len() >= SHORTEST && !line.starts_with("-----")));
    known.extend(secret.split(' ').skip(1).filter(|word| word.len() >= SHORTEST));
    learn(&known);
}

/// Remembers further secrets.
pub(crate) fn learn(secrets: &Known) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.get_or_insert_default().merge(secrets);
}

/// Returns a text of this program without secrets. It may quote addresses and messages of registries'
/// clients.
pub(crate) fn text(text: &str) -> String {
    without_commands(&known(&redact::mask(text)))
}

/// Escapes the control characters of a text, except those of colours. The text may quote names of files and
/// messages of servers, which must not control the terminal.
fn without_commands(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
        shown.push_str(&rest[..at]);
        let behind = &rest[at..];
        let color = color(behind);
        match behind.chars().next() {
            _ if color > 0 => shown.push_str(&behind[..color]),
            // This is the end of a line on other systems.
            Some('\r') if behind[1..].starts_with('\n') => {}
            Some(char) => shown.extend(char.escape_default()),
            None => {}
        }
        let length = behind.chars().next().map_or(0, char::len_utf8);
        rest = &behind[color.max(length)..];
    }
    shown + rest
}

/// Returns the length of the colour (ECMA-48, section 8.3.117, SGR) at the start of a text, or 0 if there is
/// none.
fn color(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\u{1b}[") else { return 0 };
    let digits = rest.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(rest.len());
    if rest[digits..].starts_with('m') { 2 + digits + 1 } else { 0 }
}

/// Returns the output of a sandboxed tool without secrets. It may quote source code, so only known secrets
/// are removed.
pub(crate) fn output(text: &str) -> Cow<'_, str> {
    known(text)
}

/// Removes secrets from every text in a JSON value.
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
