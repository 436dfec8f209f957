//! The `WWW-Authenticate` header: what a server asks for.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// What a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token from a server of tokens, or one of the user's own if there is no `realm`.
    Bearer { realm: Option<String>, service: Option<String>, scope: Option<String> },
}

/// Returns the challenge of an answer that can be met best: a token before a password.
pub(crate) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let challenges: Vec<_> = values.flat_map(parse).collect();
    let bearer = challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or_else(|| challenges.first()).cloned()
}

/// Parses one header, which may hold several challenges.
fn parse(header: &str) -> Vec<Challenge> {
    let mut schemes: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    for part in parts(header) {
        let name_end = part.find('=').unwrap_or(part.len());
        let (name, value) = part.split_at(name_end);
        // A new challenge begins with the name of its scheme and a space.
        let parameter = match name.trim().split_once(' ') {
            Some((scheme, parameter)) => {
                schemes.push((scheme.to_ascii_lowercase(), BTreeMap::new()));
                parameter.trim()
            }
            None if value.is_empty() => {
                schemes.push((name.trim().to_ascii_lowercase(), BTreeMap::new()));
                continue;
            }
            None => name.trim(),
        };
        if let Some((_, parameters)) = schemes.last_mut() {
            parameters
                .insert(parameter.to_ascii_lowercase(), unquoted(value.trim_start_matches('=')));
        }
    }
    schemes.into_iter().filter_map(|(scheme, parameters)| known(&scheme, parameters)).collect()
}

fn known(scheme: &str, mut parameters: BTreeMap<String, String>) -> Option<Challenge> {
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: parameters.remove("realm"),
            service: parameters.remove("service"),
            scope: parameters.remove("scope"),
        }),
        _ => None,
    }
}

/// Splits at commas that are not within quotes.
fn parts(header: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in header.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(header[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(header[begin..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn unquoted(value: &str) -> String {
    let value = value.trim();
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_as_servers_write_them() {
        let bearer = |realm: &str, scope: Option<&str>| Challenge::Bearer {
            realm: Some(realm.to_owned()),
            service: Some("registry".to_owned()),
            scope: scope.map(str::to_owned),
        };
        let check = |headers: &[&str], expect: Option<Challenge>| {
            let mut map = HeaderMap::new();
            headers.iter().for_each(|value| {
                map.append(WWW_AUTHENTICATE, value.parse().unwrap());
            });
            assert_eq!(challenge(&map), expect, "{headers:?}");
        };
        check(&["Basic realm=\"a, b\""], Some(Challenge::Basic));
        check(
            &[
                "Bearer realm=\"https://example.com/token\",service=\"registry\",scope=\"repository:a/b:pull,push\"",
            ],
            Some(bearer("https://example.com/token", Some("repository:a/b:pull,push"))),
        );
        check(
            &["Basic realm=\"x\", bearer service=registry, realm=\"https://example.com/t\\\"\""],
            Some(bearer("https://example.com/t\"", None)),
        );
        check(&["Basic realm=x", "Bearer realm=y,service=registry"], Some(bearer("y", None)));
        check(&["Bearer"], Some(Challenge::Bearer { realm: None, service: None, scope: None }));
        check(&["Negotiate", "Digest realm=\"x\", nonce=\"y\""], None);
        check(&[], None);
        check(&[",,=,\"", "=\"", "Bearer =,"], None);
    }
}
