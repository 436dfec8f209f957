//! Keeps secrets out of everything that is printed, whoever wrote it.
//!
//! What is secret is known from the environment and from run.toml. It is kept for the whole process, as
//! standard output and standard error are the process's, too: no line may go around it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{PoisonError, RwLock};

use rules::redact::{self, Known};
use serde_json::Value;

static KNOWN: RwLock<Option<Known>> = RwLock::new(None);

/// A variable's value that is shorter is no secret: `true`, `basic`.
const SHORTEST: usize = 8;

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

/// Remembers further secrets.
pub(crate) fn learn(secrets: &Known) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.get_or_insert_default().merge(secrets);
}

/// A text of ours, which may quote addresses and what clients of registries said.
pub(crate) fn text(text: &str) -> String {
    known(&redact::mask(text)).into_owned()
}

/// The output of a tool in a sandbox: it may quote source code, so it keeps all but what is known.
pub(crate) fn output(bytes: &[u8]) -> Cow<'_, [u8]> {
    let shown = String::from_utf8_lossy(bytes);
    match known(&shown) {
        masked if masked == shown => Cow::Borrowed(bytes),
        masked => Cow::Owned(masked.into_owned().into_bytes()),
    }
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
        assert_eq!(
            &*output(b"x t0k3n fetch(\"https://h/?a=b\")"),
            b"x *** fetch(\"https://h/?a=b\")"
        );
        assert_eq!(&*output(b"\xff"), b"\xff");
        let value = serde_json::json!({"a": ["t0k3n", 1], "b": {"c": "npm-value-1"}});
        assert_eq!(json(&value), serde_json::json!({"a": ["***", 1], "b": {"c": "***"}}));
    }
}
