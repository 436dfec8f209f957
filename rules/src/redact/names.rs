//! Decides which names stand for a secret.
//!
//! Only the name itself counts, not the value: too many names are taken for secrets rather than too few.

/// Words, in snake case, that make every name with them a secret's name.
const WORDS: [&str; 13] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "signature",
    "bearer",
    "cookie",
];

/// Words that make a name a secret's name only if they are the whole name or its last word: `deploy_key`, but
/// not `keyvalue`.
const LAST_WORDS: [&str; 5] = ["key", "pass", "pwd", "auth", "pat"];

/// The key of the registry's token. A misspelling of it counts as well.
const TOKEN_KEY: &str = "auth_token";

/// So many letters may be wrong in a misspelling.
const MISSPELT: usize = 2;

/// Returns whether the name of a key, a variable or a parameter looks like the name of a secret.
#[must_use]
pub fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
    let last = name.rsplit('_').next().unwrap_or_default();
    WORDS.iter().any(|word| name.contains(word))
        || LAST_WORDS.contains(&last)
        // Most names are too short or too long to be a misspelling, and telling how alike two are takes long.
        || name.chars().count().abs_diff(TOKEN_KEY.len()) <= MISSPELT
            && strsim::damerau_levenshtein(&name, TOKEN_KEY) <= MISSPELT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_tell_of_a_secret() {
        for name in [
            "auth_token",
            "AUTH-TOKEN",
            "auth_tokn",
            "auth_t🔑k🔑n",
            "_authToken",
            "api_token",
            "secret",
            "client.secret",
            "password",
            "key",
            "deploy_key",
            "apiKey",
            "AWS_SECRET_ACCESS_KEY",
            "X-Amz-Signature",
            "pass",
            "DB_PASS",
            "_auth",
            "GITHUB_PAT",
            "session_cookie",
        ] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in [
            "name",
            "keyvalue",
            "author",
            "authors",
            "path",
            "account_id",
            "url",
            "bypass",
            "version",
        ] {
            assert!(!names_a_secret(name), "{name}");
        }
    }
}
