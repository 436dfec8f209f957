//! The error of a broken TOML file, in a form that is safe to show.
//!
//! The parser quotes the broken line, and its message may quote a value. Either can hold a secret, so both
//! are masked. This module works on any TOML text, and does not know what the file is for.

use crate::redact::{Known, assigned_secrets, mask_settings, mask_urls};

/// The parser's message and the line that it quotes, with all secrets masked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BrokenToml(String);

impl From<toml::de::Error> for BrokenToml {
    fn from(error: toml::de::Error) -> Self {
        let (whole, message) = (error.to_string(), error.message());
        let whole = whole.trim_end();
        let quoted = whole.strip_suffix(message).unwrap_or(whole);
        // The message may quote a value that stands in the line.
        let mut known = Known::default();
        known.extend(assigned_secrets(quoted).into_iter().map(|range| &quoted[range]));
        let message = if quoted == whole { "" } else { message };
        Self(mask_settings(quoted).into_owned() + &mask_urls(&known.mask(message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_quoted_without_its_secret() {
        #[derive(Debug, serde::Deserialize)]
        struct Numbers {
            #[expect(dead_code, reason = "it is never read, as it can't be made")]
            password: u8,
        }
        let check = |error: toml::de::Error, expect: &str| {
            let shown = BrokenToml::from(error).to_string();
            assert!(!shown.contains("s3cret") && shown.contains("line 2"), "{shown}");
            assert!(shown.ends_with(expect), "{shown}");
        };
        for (line, expect) in [
            ("password = \"s3cret\" x", "expected newline, `#`"),
            ("password: \"s3cret\"", "key with no value, expected `=`"),
            ("url = \"https://me:s3cret@h\" x", "expected newline, `#`"),
        ] {
            check(format!("[a]\n{line}").parse::<toml::Table>().unwrap_err(), expect);
        }
        let typed = toml::from_str::<Numbers>("\npassword = \"s3cret\"").unwrap_err();
        check(typed, "invalid type: string \"***\", expected u8");
    }
}
