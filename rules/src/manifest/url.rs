//! The addresses in `run.toml`: those of registries and of git repositories.
//!
//! An address is checked while the file is read, before anything is sent. The check finds mistakes in its
//! scheme, host, port and path, and refuses an address with a password in it. Nobody is asked whether the
//! address exists.

use super::invalid::Invalid;
use super::text::text_type;

text_type! {
    /// The address of a registry of packages: `https://`, `http://`, `oci://` or `oci+http://` without a final slash, or
    /// `file://` and the path of a folder. It has no credentials, query or fragment.
    RegistryUrl, parse_registry
}

text_type! {
    /// The address of a git repository: `https://`, `http://`, `ssh://`, `git://` or `file://`, or
    /// the short form `user@host:path`.
    GitUrl, parse_git
}

text_type! {
    /// The address of a shared cache: `https://`, `http://`, `grpcs://` or `grpc://`, without a final slash. It has no
    /// credentials, query or fragment, and with gRPC no path.
    RemoteUrl, parse_remote
}

impl RemoteUrl {
    /// Parses the address of a cluster, which speaks gRPC.
    ///
    /// # Errors
    /// If it is not such an address.
    pub fn of_cluster(text: &str) -> Result<Self, Invalid> {
        let expected = "expected an address like `grpcs://cluster.example.com`";
        let url: Self =
            text.parse().map_err(|invalid| Invalid { expected: expected.to_owned(), ..invalid })?;
        if !url.as_str().starts_with("grpc") {
            let message = format!("`{text}` is not a URL of a cluster: it has to be one of gRPC");
            return Err(Invalid::new(message, expected));
        }
        Ok(url)
    }
}

fn parse_remote(text: &str) -> Result<String, Invalid> {
    let expected =
        "expected an address like `grpcs://cache.example.com` or `https://cache.example.com`";
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(Invalid::new(format!("`{text}` is not a URL: it has no scheme"), expected));
    };
    let http = match scheme {
        "http" | "https" => return parse_http(text).map_err(|invalid| of_cache(invalid, expected)),
        "grpc" => "http",
        "grpcs" => "https",
        _ => {
            let message = format!(
                "`{text}` is not a URL of a cache: its scheme is `{scheme}`, not `grpc`, `grpcs`, `http` or `https`"
            );
            return Err(Invalid::new(message, expected));
        }
    };
    let checked = parse_http(&format!("{http}://{rest}")).map_err(|invalid| {
        let message = invalid.message.replace(&format!("`{http}://"), &format!("`{scheme}://"));
        of_cache(Invalid { message, ..invalid }, expected)
    })?;
    let rest = &checked[http.len() + "://".len()..];
    if rest.contains('/') {
        let message = format!("`{text}` is not a URL of a cache: gRPC has no paths");
        return Err(Invalid::new(message, expected).help("an instance name goes into `instance`"));
    }
    Ok(format!("{scheme}://{rest}"))
}

/// Replaces the advice about registries.
fn of_cache(invalid: Invalid, expected: &str) -> Invalid {
    let help = "credentials go into `headers`".to_owned();
    let help = invalid.message.contains("credentials").then_some(help).into_iter().collect();
    Invalid { expected: expected.to_owned(), help, ..invalid }
}

fn parse_registry(text: &str) -> Result<String, Invalid> {
    let expected = "expected an address like `https://registry.example.com`";
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let http = match scheme {
        "oci" => "https",
        "oci+http" => "http",
        "file" if rest.starts_with('/') && rest.len() > 1 => {
            let why = |why| Invalid::new(format!("`{text}` is not a URL: {why}"), expected);
            check_path(rest).map_err(why)?;
            return Ok(text.trim_end_matches('/').to_owned());
        }
        "file" => {
            let message = format!("`{text}` is not a URL: write three slashes: `file:///path`");
            return Err(Invalid::new(message, expected));
        }
        "" | "http" | "https" => return parse_http(text),
        _ => {
            let message = format!(
                "`{text}` is not a URL of a registry: its scheme is `{scheme}`, not `https`, `http`, `oci`, `oci+http` \
                 or `file`"
            );
            return Err(Invalid::new(message, expected));
        }
    };
    let checked = parse_http(&format!("{http}://{rest}")).map_err(|invalid| {
        let message = invalid.message.replace(&format!("`{http}://"), &format!("`{scheme}://"));
        Invalid { message, ..invalid }
    })?;
    Ok(format!("{scheme}://{}", &checked[http.len() + "://".len()..]))
}

fn parse_http(text: &str) -> Result<String, Invalid> {
    let expected = "expected an address like `https://registry.example.com`";
    let invalid = |why: &str| Invalid::new(format!("`{text}` is not a URL: {why}"), expected);
    if text.is_empty() {
        return Err(Invalid::new("URL is empty", expected));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let help = Some(format!("did you mean `https://{text}`?"))
            .filter(|_| text.split('/').next().is_some_and(|host| check_authority(host).is_ok()));
        return Err(invalid("it has no scheme").maybe_help(help));
    };
    if !matches!(scheme, "http" | "https") {
        return Err(invalid(&format!("its scheme is `{scheme}`, not `https` or `http`")));
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(Invalid::new("URL contains credentials", "expected no user or password")
            .help("pass the token in the environment variable RUN_AUTH_TOKEN"));
    }
    check_authority(authority).map_err(invalid)?;
    check_path(path).map_err(invalid)?;
    Ok(text.trim_end_matches('/').to_owned())
}

fn parse_git(text: &str) -> Result<String, Invalid> {
    let expected = "expected an address like `https://git.example.com/org/repo`";
    let invalid =
        |why: &str| Invalid::new(format!("`{text}` is not a repository URL: {why}"), expected);
    if text.is_empty() {
        return Err(Invalid::new("repository URL is empty", expected));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return check_short_form(text).map_err(invalid).map(|()| text.to_owned());
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    check_path(path).map_err(invalid)?;
    if matches!(path, "" | "/") {
        return Err(invalid("it names no repository on the host"));
    }
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    match scheme {
        "file" if authority.is_empty() => return Ok(text.to_owned()),
        "file" => return Err(invalid("write three slashes: `file:///path`")),
        "ssh" if user.is_none_or(is_user) => {}
        "https" | "http" | "git" if user.is_none() => {}
        "https" | "http" | "git" | "ssh" => {
            return Err(Invalid::new(
                "URL contains credentials",
                "expected no user or password: git reads them from its own configuration",
            ));
        }
        _ => return Err(invalid(&format!("its scheme is `{scheme}`"))),
    }
    let host = user.map_or(authority, |user| &authority[user.len() + 1..]);
    check_authority(host).map_err(invalid)?;
    Ok(text.to_owned())
}

/// Checks the short form, like `git@host:org/repo`.
fn check_short_form(text: &str) -> Result<(), &'static str> {
    let (user, rest) = text.split_once('@').ok_or("it has no scheme")?;
    let (host, path) = rest.split_once(':').ok_or("it has no scheme")?;
    if !is_user(user) || path.is_empty() || path.starts_with('-') {
        return Err("it has no scheme");
    }
    check_host(host)?;
    check_path(path)
}

/// Returns whether a text can be the user of an address. A command would never take it for an option.
fn is_user(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && !text.starts_with('-') && text.chars().all(plain)
}

/// Checks `host`, `host:port`, `[v6]` or `[v6]:port`.
fn check_authority(authority: &str) -> Result<(), &'static str> {
    let (host, port) = split_port(authority);
    check_host(host)?;
    match port.map(str::parse::<u16>) {
        None => Ok(()),
        Some(Ok(port)) if port > 0 => Ok(()),
        Some(_) => Err("its port is not a number from 1 to 65535"),
    }
}

/// Splits `host:port`. The colons of an address in brackets belong to the host.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Checks a host: a name of letters, digits, `-`, `_` and dots, an IPv4 address, or an IPv6 address in
/// brackets.
pub(super) fn check_host(host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("it has no host");
    }
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match address.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err("its host is not an IPv6 address"),
        };
    }
    let label = |label: &str| {
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        !label.is_empty() && !label.starts_with('-') && label.chars().all(valid)
    };
    if host.split('.').all(label) { Ok(()) } else { Err("its host is not a valid name") }
}

fn check_path(path: &str) -> Result<(), &'static str> {
    if path.contains(['?', '#']) {
        return Err("it has a query or a fragment");
    }
    if path.contains(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
        return Err("it contains a character that must be percent-encoded");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::str::FromStr;

    use super::*;

    #[track_caller]
    fn check<T: FromStr<Err = Invalid> + fmt::Display>(text: &str, expected: Result<&str, &str>) {
        let url = text.parse::<T>().map(|url| url.to_string()).map_err(|e| e.message);
        assert_eq!(url, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn registries_are_http() {
        let good = ["https://registry.example.com", "http://localhost:5000", "https://[::1]:8443"];
        good.iter().for_each(|url| check::<RegistryUrl>(url, Ok(url)));
        check::<RegistryUrl>("oci://example.com/acme/", Ok("oci://example.com/acme"));
        check::<RegistryUrl>("oci+http://localhost:5000", Ok("oci+http://localhost:5000"));
        check::<RegistryUrl>("file:///srv/packages", Ok("file:///srv/packages"));
        check::<RegistryUrl>("https://example.com/a/b/", Ok("https://example.com/a/b"));
        let bad = [
            ("", "URL is empty"),
            ("example.com", "`example.com` is not a URL: it has no scheme"),
            (
                "ftp://x",
                "`ftp://x` is not a URL of a registry: its scheme is `ftp`, not `https`, `http`, `oci`, `oci+http` or `file`",
            ),
            ("file://x", "`file://x` is not a URL: write three slashes: `file:///path`"),
            ("oci://a b", "`oci://a b` is not a URL: its host is not a valid name"),
            ("oci+http://", "`oci+http://` is not a URL: it has no host"),
            ("https://", "`https://` is not a URL: it has no host"),
            ("https://a b", "`https://a b` is not a URL: its host is not a valid name"),
            ("https://a..b", "`https://a..b` is not a URL: its host is not a valid name"),
            ("https://a:0", "`https://a:0` is not a URL: its port is not a number from 1 to 65535"),
            (
                "https://a:99999",
                "`https://a:99999` is not a URL: its port is not a number from 1 to 65535",
            ),
            ("https://a/?q", "`https://a/?q` is not a URL: it has a query or a fragment"),
            ("https://me:pw@a", "URL contains credentials"),
            ("https://[::g]", "`https://[::g]` is not a URL: its host is not an IPv6 address"),
        ];
        bad.iter().for_each(|(url, message)| check::<RegistryUrl>(url, Err(message)));
    }

    #[test]
    fn repositories_have_more_forms() {
        let good = [
            "https://git.example.com/org/repo",
            "http://localhost:3000/repo.git",
            "ssh://git@host.example/org/repo.git",
            "git://host/repo",
            "file:///srv/git/repo.git",
            "git@git.example.com:org/repo.git",
        ];
        good.iter().for_each(|url| check::<GitUrl>(url, Ok(url)));
        let bad = [
            ("", "repository URL is empty"),
            ("org/repo", "`org/repo` is not a repository URL: it has no scheme"),
            (
                "https://host",
                "`https://host` is not a repository URL: it names no repository on the host",
            ),
            (
                "file://a/b",
                "`file://a/b` is not a repository URL: write three slashes: `file:///path`",
            ),
            ("s3://a/b", "`s3://a/b` is not a repository URL: its scheme is `s3`"),
            ("https://me:pw@host/x", "URL contains credentials"),
            ("https://t0ken@host/x", "URL contains credentials"),
            ("ssh://me:pw@host/x", "URL contains credentials"),
            ("--upload-pack=x", "`--upload-pack=x` is not a repository URL: it has no scheme"),
            ("-a@host:x", "`-a@host:x` is not a repository URL: it has no scheme"),
        ];
        bad.iter().for_each(|(url, message)| check::<GitUrl>(url, Err(message)));
    }
}
