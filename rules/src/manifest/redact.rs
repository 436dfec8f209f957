//! Hides secrets before any text of `run.toml` can be shown.
//!
//! A token must not reach a terminal or a CI log, even if the file is so broken that the TOML parser can only
//! guess what it means. So this works on the raw text, without the parser. Whatever follows `KEY =`, where
//! KEY or its table looks like the name of a secret, is replaced by asterisks, and so are the secret parts of
//! addresses ([`crate::redact`]). Hiding too much is fine, but the offsets of everything else must stay the
//! same.

use std::ops::Range;

use crate::redact::{Known, assigned_secrets, mask_urls, url_secrets};

/// A text with its secrets hidden, and the secrets themselves, so that they can be hidden in messages too.
#[derive(Clone)]
pub(super) struct Redacted {
    text: String,
    known: Known,
}

impl Redacted {
    /// Finds and hides the secrets of a text.
    pub(super) fn new(text: &str) -> Self {
        let mut ranges = assigned_secrets(text);
        ranges.extend(url_secrets(text));
        ranges.sort_by_key(|range| range.start);
        let mut known = Known::default();
        known.extend(ranges.iter().map(|range| &text[range.clone()]));
        Self { text: mask(text, &ranges), known }
    }

    /// Returns the text with asterisks in place of secrets. It has the same length in bytes as the original.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the secrets that were hidden.
    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// Hides the secrets wherever they occur in a message.
    pub(super) fn redact(&self, message: String) -> String {
        mask_urls(&self.known.mask(&message)).into_owned()
    }
}

/// Replaces each byte of the ranges, which are sorted, by an asterisk. Line ends are kept.
fn mask(text: &str, ranges: &[Range<usize>]) -> String {
    let mut masked = String::with_capacity(text.len());
    for range in ranges {
        let start = range.start.max(masked.len());
        masked.push_str(&text[masked.len()..start]);
        for char in text[start..range.end.max(start)].chars() {
            match char {
                '\n' | '\r' => masked.push(char),
                _ => masked.extend(std::iter::repeat_n('*', char.len_utf8())),
            }
        }
    }
    masked.push_str(&text[masked.len()..]);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let redacted = Redacted::new(text);
        assert_eq!(redacted.as_str(), expected);
        assert_eq!(redacted.as_str().len(), text.len(), "offsets moved");
    }

    #[test]
    fn values_of_secret_keys_are_hidden() {
        check(r#"auth_token = "s3cret""#, r#"auth_token = "******""#);
        check(r#"auth_token="s3cret" # mine"#, r#"auth_token="******" # mine"#);
        check(r#"registry.auth_token = 's3\'"#, r#"registry.auth_token = '***'"#);
        check(r#"r = { auth_token = "s", url = "u" }"#, r#"r = { auth_token = "*", url = "u" }"#);
        check(r#""auth_token" = "a\"b""#, r#""auth_token" = "****""#);
        check(r#"'auth_token' = "ab""#, r#"'auth_token' = "**""#);
        check(
            "auth_token = \"\"\"\nab\ncd\"\"\"\nx = 1",
            "auth_token = \"\"\"\n**\n**\"\"\"\nx = 1",
        );
        check("auth_token = '''ab'''", "auth_token = '''**'''");
        check("API-Token = 12", "API-Token = **");
        check("auth_token = \"ä\"", "auth_token = \"**\"");
        check("password = [\"a\",\n\"b\"]", "password = [****\n***]");
    }

    #[test]
    fn misspelt_and_broken_secrets_are_hidden_too() {
        check("auth_tokn = \"ab\"", "auth_tokn = \"**\"");
        check("auth_token = \"ab\nx = 1", "auth_token = \"**\n*****");
        check("auth_token = \"ab\"cd\"", "auth_token = \"******");
        check("auth_token = ab\r\nx = 1", "auth_token = **\r\nx = 1");
        check("auth_token =\n\"ab\"", "auth_token =\n\"**\"");
        check("auth_token = \"\"\"ab", "auth_token = \"\"\"**");
        check("# auth_token = \"ab\"", "# auth_token = \"**\"");
        check("auth_token =", "auth_token =");
    }

    #[test]
    fn a_value_may_go_on_for_lines() {
        check("auth_token = \"ab\ncd\"\nx = 1", "auth_token = \"**\n**\"\nx = 1");
        check("auth_token = 'ab\r\ncd'\r\nx = 1", "auth_token = '**\r\n**'\r\nx = 1");
        check("auth_token = \"ab\nname = \"x\"", "auth_token = \"**\n**********");
        check(
            "auth_token = \"\"\"ab\"\"c\\\"\"\"\"\"\nx = 1",
            "auth_token = \"\"\"********\"\"\"\nx = 1",
        );
        check("auth_token = \"\"\"ab\"\"\"\"\"\nx = 1", "auth_token = \"\"\"****\"\"\"\nx = 1");
        check("auth_token = '''ab\ncd", "auth_token = '''**\n**");
        check("token = [\"a]\", # ]\n\"b\"]\nx = 1", "token = [*********\n***]\nx = 1");
        check("token = { a = \"}\", b = 1 }\nx = 1", "token = {****************}\nx = 1");
        check("token = [\"a\nb = 1", "token = [**\n*****");
        check("auth_token = # c\n\"ab\"\nx = 1", "auth_token = ***\n***\"\nx = 1");
        check("auth_token = \"ab\\\"cd\" # \"x\"", "auth_token = \"******\" # \"x\"");
    }

    #[test]
    fn keys_are_known_in_every_spelling() {
        check("\"auth\\u005ftoken\" = \"ab\"", "\"auth\\u005ftoken\" = \"**\"");
        check("\"auth\\x5ftoken\" = \"ab\"", "\"auth\\x5ftoken\" = \"**\"");
        check("registry . \"auth_token\" = 'ab'", "registry . \"auth_token\" = '**'");
        check("auth_token.inner = \"ab\"", "auth_token.inner = \"**\"");
        check("auth_token\n= \"ab\"", "auth_token\n= \"**\"");
        check(
            "[a.credentials]\nuser = \"ab\"\n[b]\nx = 1",
            "[a.credentials]\nuser = \"**\"\n[b]\nx = 1",
        );
        check("[[ \"client\\u002dsecret\" ]]\nx = 1", "[[ \"client\\u002dsecret\" ]]\nx = *");
        check("deploy_key = \"ab\"\nkeyvalue = \"ab\"", "deploy_key = \"**\"\nkeyvalue = \"ab\"");
        check(
            "[registry]\n[registry]\nauth_token = 'ab'",
            "[registry]\n[registry]\nauth_token = '**'",
        );
    }

    #[test]
    fn hiding_grows_no_faster_than_the_text() {
        // Other work on the machine does not count.
        let used = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).tv_sec;
        let started = used();
        for text in [
            "a=",
            "token=\"",
            "x://",
            "x://a:b@",
            "[token]\n",
            "key=[",
            "key='''",
            "\\u",
            "k='\n",
            "key=#\n",
            "authorization:",
            "bearer ",
            "bearer 12345678",
            "_auth=",
            "me:pw@h/",
            "@",
            "//",
            "x: ",
        ] {
            let text = text.repeat((1 << 16) / text.len());
            assert!(!crate::redact::mask(&text).is_empty());
            let redacted = Redacted::new(&text);
            assert!(redacted.as_str().len() == text.len());
            redacted.redact("a message with `text`".repeat(100));
        }
        // Comments stand before the value.
        let commented = format!("key = {}", "#\n".repeat(1 << 15));
        assert_eq!(Redacted::new(&commented).as_str().len(), commented.len());
        assert!(used() - started < 20, "{} s", used() - started);
    }

    #[test]
    fn everything_else_is_kept() {
        check("name = \"api\"\n= 1\n", "name = \"api\"\n= 1\n");
        check("watch = [\"a\"]", "watch = [\"a\"]");
        check("url = \"https://host/a@b:c\"", "url = \"https://host/a@b:c\"");
        check("git = \"ssh://git@host/x\"", "git = \"ssh://git@host/x\"");
    }

    #[test]
    fn credentials_in_urls_are_hidden() {
        check("url = \"https://me:pw@host/x\"", "url = \"https://*****@host/x\"");
        check("url = \"https://ab@host/x\"", "url = \"https://**@host/x\"");
        check("url = \"ssh://me:pw@host/x\"", "url = \"ssh://*****@host/x\"");
        check("url = \"https://h/x?token=ab\"", "url = \"https://h/x?token=***");
        check("url = \"https://h/x?sig=ab#cd\"", "url = \"https://h/x?sig=**#**\"");
    }

    #[test]
    fn messages_lose_the_secrets_of_the_file() {
        let redacted = Redacted::new("auth_token = \"s3cret\"");
        assert_eq!(redacted.redact("found s3cret here".into()), "found *** here");
        let redacted = Redacted::new("token = \"\"\"one-line\nother-line\"\"\"");
        assert_eq!(redacted.redact("other-line, one-line".into()), "***, ***");
        // The message shows the value as the parser decodes it.
        let redacted = Redacted::new("token = \"s\\u0033cret\"");
        assert_eq!(redacted.redact("`s3cret`".into()), "`***`");
        // The value is one of very many.
        let many: String = (0..2000).map(|n| format!("token{n} = \"value{n}\"\n")).collect();
        assert_eq!(Redacted::new(&many).redact("not `value1999`".into()), "not `***`");
    }
}
