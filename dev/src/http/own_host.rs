//! Checks if a request for this server's own pages was meant for this server.
//!
//! A page of another site can make a browser ask this server, if the name of that site is made to lead to this machine (DNS
//! rebinding). The browser then takes the answer for one of that site, and its scripts may read it. But it sends the name of
//! the site as the host. So pages with what the project is and does are given out only under names that nobody else can have:
//! addresses, `localhost`, and the name that the user has given.

use std::net::IpAddr;

/// Tells if `host`, the value of the header `Host`, is an address of this machine, `localhost`, or `own`.
pub(crate) fn is_own_host(host: &str, own: Option<&str>) -> bool {
    let name = without_port(host);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let lower = name.to_ascii_lowercase();
    let lower = lower.strip_suffix('.').unwrap_or(&lower);
    address.parse::<IpAddr>().is_ok()
        || lower == "localhost"
        || lower.ends_with(".localhost")
        || own.is_some_and(|own| own.eq_ignore_ascii_case(lower))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') =>
        {
            // An IPv6 address without brackets is no valid host, and is not cut.
            if name.contains(':') && !name.ends_with(']') { host } else { name }
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_are_refused() {
        for host in [
            "localhost",
            "localhost:3000",
            "LOCALHOST:1",
            "api.localhost:3000",
            "127.0.0.1:3000",
            "[::1]:3000",
            "192.168.1.7:3000",
            "localhost.",
            "box:3000",
        ] {
            assert!(is_own_host(host, Some("box")), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:3000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "notlocalhost",
            "box.evil",
            "box@evil",
            ":3000",
        ] {
            assert!(!is_own_host(host, Some("box")), "{host}");
        }
        assert!(!is_own_host("box:3000", None));
    }
}
