//! Decides which component answers a request, by the path.
//!
//! A route is a path such as `/api`, and has everything below it, too: `/api/x`, but not `/apix`. The longest route wins. The
//! component sees the rest of the path, so it need not know where it is served.

use std::collections::BTreeMap;

/// The paths below which this server itself answers. They hide the paths of components.
pub(crate) const OWN: &str = "/_run";

/// The routes of a project, and what each leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Routes<T>(BTreeMap<String, T>);

/// A component that could be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Routed<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// The route of run.toml, if it has one.
    pub(crate) route: Option<&'a str>,
}

/// Returns the route of each component: the one of run.toml, or else `/` for an only component and `/NAME` for one of several.
/// A component whose route is taken already gets `None`.
pub(crate) fn routes_of(components: &[Routed<'_>]) -> Vec<Option<String>> {
    let is_only = components.len() == 1;
    let implied = |name: &str| if is_only { "/".to_owned() } else { format!("/{name}") };
    let mut taken: Vec<String> =
        components.iter().filter_map(|one| one.route).map(str::to_owned).collect();
    let mut routes = Vec::new();
    for component in components {
        routes.push(match component.route {
            Some(route) => Some(route.to_owned()),
            None => {
                let route = implied(component.name);
                let is_free = !taken.contains(&route);
                is_free.then(|| {
                    taken.push(route.clone());
                    route
                })
            }
        });
    }
    routes
}

impl<T> Routes<T> {
    /// Makes routes of pairs of a path and what it leads to.
    pub(crate) fn new(routes: impl IntoIterator<Item = (String, T)>) -> Self {
        Self(routes.into_iter().collect())
    }

    /// Finds what a path leads to. Returns it with the route and with the path that is left.
    pub(crate) fn find<'p>(&self, path: &'p str) -> Option<(&str, &T, &'p str)> {
        // The longest prefix that ends before a `/` comes first.
        let mut end = path.len();
        loop {
            let prefix = &path[..end];
            if let Some((route, target)) = self.0.get_key_value(prefix).filter(|_| end > 0) {
                return Some((route, target, rest(&path[end..])));
            }
            let Some(before) = prefix.rfind('/') else { break };
            end = before;
        }
        self.0.get_key_value("/").map(|(route, target)| (route.as_str(), target, path))
    }

    /// Lists the routes in the order of their paths.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(route, target)| (route.as_str(), target))
    }
}

fn rest(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

/// Tells if this server itself answers a path.
pub(crate) fn is_own(path: &str) -> bool {
    path.strip_prefix(OWN).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(routes: &[&str], path: &str, expect: Option<(&str, &str)>) {
        let routes = Routes::new(routes.iter().map(|route| ((*route).to_owned(), ())));
        let found = routes.find(path).map(|(route, (), rest)| (route, rest));
        assert_eq!(found, expect, "{path}");
    }

    #[test]
    fn the_longest_route_wins_and_is_removed() {
        check(&["/"], "/", Some(("/", "/")));
        check(&["/"], "/a/b", Some(("/", "/a/b")));
        check(&["/a", "/b"], "/a", Some(("/a", "/")));
        check(&["/a", "/b"], "/a/", Some(("/a", "/")));
        check(&["/a", "/a/b"], "/a/b/c", Some(("/a/b", "/c")));
        check(&["/a", "/a/b"], "/a/bc", Some(("/a", "/bc")));
        check(&["/a", "/"], "/ab", Some(("/", "/ab")));
        check(&["/a", "/b"], "/", None);
        check(&["/a", "/b"], "/ab", None);
        check(&["/a"], "//a", None);
        check(&["/a"], "*", None);
    }

    #[track_caller]
    fn check_routes(components: &[(&str, Option<&str>)], expect: &[Option<&str>]) {
        let components: Vec<_> =
            components.iter().map(|(name, route)| Routed { name, route: *route }).collect();
        let routes = routes_of(&components);
        let routes: Vec<_> = routes.iter().map(Option::as_deref).collect();
        assert_eq!(routes, expect);
    }

    #[test]
    fn every_component_gets_a_route() {
        check_routes(&[("api", None)], &[Some("/")]);
        check_routes(&[("api", Some("/v1"))], &[Some("/v1")]);
        check_routes(&[("api", None), ("web", None)], &[Some("/api"), Some("/web")]);
        check_routes(&[("api", None), ("web", Some("/"))], &[Some("/api"), Some("/")]);
        check_routes(&[("api", None), ("web", Some("/api"))], &[None, Some("/api")]);
        check_routes(&[], &[]);
    }

    #[test]
    fn own_paths() {
        assert!(is_own("/_run") && is_own("/_run/") && is_own("/_run/events"));
        assert!(!is_own("/_running") && !is_own("/a/_run") && !is_own("/"));
    }
}
