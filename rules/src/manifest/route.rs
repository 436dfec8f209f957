//! The path at which the development server serves a component: the key `route` of `[[component]]`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::component::Component;
use super::diagnostic::Diagnostic;
use super::invalid::Invalid;
use super::span::Spanned;
use super::table::Findings;

/// A path such as `/api/v1`, without a `/` at its end unless it is the only one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route(String);

/// The first name of the paths that the development server keeps for its own pages.
const RESERVED: &str = "_run";

impl Route {
    /// Returns the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Route {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let expected = "expected a path like `/` or `/api`";
        let Some(rest) = text.strip_prefix('/') else {
            return Err(Invalid::new(format!("route `{text}` does not begin with `/`"), expected));
        };
        if rest.is_empty() {
            return Ok(Self("/".to_owned()));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let names: Vec<&str> = rest.split('/').collect();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && name.chars().all(is_plain);
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            let message = format!("route `{text}` has the part `{name}`");
            return Err(Invalid::new(message, expected)
                .help("the parts of a route have letters, digits and `-._~`"));
        }
        if names[0] == RESERVED {
            let message = format!("route `{text}` is that of the development server's own pages");
            return Err(Invalid::new(message, expected));
        }
        Ok(Self(format!("/{rest}")))
    }
}

/// Refuses a route that two components have.
pub(super) fn check_distinct(components: &[Component], findings: &mut Findings) {
    let mut seen: BTreeMap<&Route, &Spanned<Route>> = BTreeMap::new();
    for route in components.iter().filter_map(|component| component.route.as_ref()) {
        match seen.get(&route.value) {
            Some(first) => findings.push(
                Diagnostic::error(
                    route.span,
                    format!("two components have the route `{}`", route.value),
                )
                .label("expected another route")
                .related(first.span, "first used here"),
            ),
            None => _ = seen.insert(&route.value, route),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_plain_paths() {
        let check = |text: &str, expect: &str| {
            assert_eq!(text.parse::<Route>().unwrap().as_str(), expect);
        };
        check("/", "/");
        check("/api", "/api");
        check("/api/v1.2/", "/api/v1.2");
        check("/_running", "/_running");
        let refused = |text: &str, expect: &str| {
            assert_eq!(text.parse::<Route>().unwrap_err().message, expect);
        };
        refused("", "route `` does not begin with `/`");
        refused("api", "route `api` does not begin with `/`");
        refused("//", "route `//` has the part ``");
        refused("/a//b", "route `/a//b` has the part ``");
        refused("/a/../b", "route `/a/../b` has the part `..`");
        refused("/a b", "route `/a b` has the part `a b`");
        refused("/a?b", "route `/a?b` has the part `a?b`");
        refused("/%41", "route `/%41` has the part `%41`");
        refused("/_run", "route `/_run` is that of the development server's own pages");
        refused("/_run/x", "route `/_run/x` is that of the development server's own pages");
    }
}
