//! URLs as messages may show them.

/// The URL without the user name and password it may hold, and without what its query says, as that
/// is where some servers want a token.
pub(crate) fn redacted(url: &str) -> String {
    let (url, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
    let (url, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    let query = if query.is_empty() { "" } else { "?…" };
    let Some((scheme, rest)) = url.split_once("://") else {
        return format!("{url}{query}{fragment}");
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}{query}{fragment}")
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
        check("https://host/x.tar.gz?token=secret", "https://host/x.tar.gz?…");
        check("https://host?token=secret/x@y", "https://host?…");
        check("git+https://me@host/x?a=b#main", "git+https://host/x?…#main");
        check("no url", "no url");
    }
}
