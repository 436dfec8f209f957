//! Finds out what a component may see in a test that is not among the test's inputs.

use runtime::{Access, Grants};

/// Returns the capabilities by which a component with these imports may see the world, in the order of the documentation.
/// A capability that is granted but not imported shows nothing: a mock may serve it.
pub(super) fn world(grants: &Grants, imports: &[String]) -> Vec<String> {
    let imports_any =
        |prefixes: &[&str]| imports.iter().any(|name| prefixes.iter().any(|p| name.starts_with(p)));
    let mut world = Vec::new();
    if grants.http_client != Access::Nothing
        && imports_any(&["wasi:http/outgoing-handler", "wasi:http/client", "wasi:http/handler"])
    {
        world.push("http-client".to_owned());
    }
    if !grants.filesystem.is_empty() && imports_any(&["wasi:filesystem/"]) {
        world.push("filesystem".to_owned());
    }
    if grants.sockets != Access::Nothing && imports_any(&["wasi:sockets/"]) {
        world.push("sockets".to_owned());
    }
    world
}

/// Tells if a component needs a network for what it may see.
pub(super) fn is_network(capability: &str) -> bool {
    matches!(capability, "http-client" | "sockets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_granted_and_imported_shows_the_world() {
        let granted = Grants {
            http_client: Access::Everything,
            sockets: Access::Everything,
            ..Grants::default()
        };
        let check = |grants: &Grants, imports: &[&str], expect: &[&str]| {
            let imports: Vec<String> = imports.iter().map(ToString::to_string).collect();
            assert_eq!(world(grants, &imports), expect);
        };
        check(&granted, &["wasi:http/types@0.2.4", "wasi:io/poll@0.2.4"], &[]);
        check(&granted, &["wasi:http/outgoing-handler@0.2.4"], &["http-client"]);
        check(
            &granted,
            &["wasi:http/client@0.3.0", "wasi:sockets/tcp@0.2.0"],
            &["http-client", "sockets"],
        );
        check(&Grants::default(), &["wasi:http/outgoing-handler@0.2.4"], &[]);
    }
}
