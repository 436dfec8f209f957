//! Which names stand for a secret.

/// Words that mark a name, in snake case.
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

/// Names, or last words of a name, that are secret only as a whole: `deploy_key`, but not `keyvalue`.
const LAST_WORDS: [&str; 5] = ["key", "pass", "pwd", "auth", "pat"];

/// The key of the registry's token; misspellings of it are secret too.
const TOKEN_KEY: &str = "auth_token";

/// Whether a key of a file, a variable or a parameter is the name of a secret by its looks.
#[must_use]
pub fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
    let last = name.rsplit('_').next().unwrap_or_default();
    WORDS.iter().any(|word| name.contains(word))
        || LAST_WORDS.contains(&last)
        || strsim::damerau_levenshtein(&name, TOKEN_KEY) <= 2
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
