//! URLs as messages may show them.

/// The URL without the user name and password it may hold.
pub(super) fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn passwords_are_not_shown() {
        let check = |url: &str, expect: &str| assert_eq!(redacted(url), expect);
        check("https://me:secret@host/a@b", "https://host/a@b");
        check("https://token@host", "https://host");
        check("http://host:80/x", "http://host:80/x");
        check("no url", "no url");
    }
}
