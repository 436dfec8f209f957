//! Compares a component with what an edge network offers, before anything is translated or uploaded.
//!
//! Some standard libraries import files and sockets in every component, whether it uses them or not. So such an import
//! alone refuses nothing: it is refused if the component was granted files or sockets, and otherwise answered as by a
//! host that grants none, which a [`Finding::Empty`] tells.

use std::collections::BTreeSet;
use std::fmt;

use crate::bundle::{HANDLER, Served, Size, served};
use crate::world::{Interface, World};

/// What a component was granted by its project, as far as an edge network can't give it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// True if it may open files.
    pub files: bool,
    /// True if it may open sockets.
    pub sockets: bool,
}

/// Something in which a component and an edge network differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The component imports an interface that the edge can't serve.
    Import(Interface),
    /// The component uses WASI 0.3.
    Wasi3(Interface),
    /// The component is granted files or sockets, and imports them.
    Granted(Interface),
    /// The component imports files or sockets which it was not granted. It can be deployed.
    Empty(Interface),
    /// The component exports no HTTP handler. The interfaces are those that it exports.
    NoHandler(BTreeSet<Interface>),
    /// The bundle is larger than the provider accepts.
    TooLarge {
        /// The number of bytes of the bundle.
        size: u64,
        /// The largest number of bytes.
        limit: u64,
    },
}

/// A component can't be deployed, for at least one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The name of the component.
    pub component: String,
    /// The reasons.
    pub findings: Vec<Finding>,
}

/// Compares the world of a component with that of an edge network. Returns the findings that prevent nothing.
///
/// # Errors
/// If the edge network can't run the component, with every reason.
pub fn check(component: &str, world: &World, grants: Grants) -> Result<Vec<Finding>, Refused> {
    let mut findings: Vec<_> = world
        .imports
        .iter()
        .filter(|(_, functions)| !functions.is_empty())
        .filter_map(|(interface, _)| import(interface, grants))
        .collect();
    let wasi_3 = world.exports.iter().filter(|export| export.is_wasi_3()).cloned();
    let wasi_3: Vec<_> = wasi_3.map(Finding::Wasi3).collect();
    if wasi_3.is_empty() && world.export(HANDLER).is_none() {
        findings.push(Finding::NoHandler(world.exports.clone()));
    }
    findings.extend(wasi_3);
    let (notes, reasons): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| matches!(finding, Finding::Empty(_)));
    if reasons.is_empty() {
        return Ok(notes);
    }
    Err(Refused { component: component.to_owned(), findings: reasons })
}

/// Compares the size of a bundle with the limit of a provider.
pub(crate) fn check_size(component: &str, size: Size, limit: u64) -> Result<(), Refused> {
    if size.plain <= limit {
        return Ok(());
    }
    let findings = vec![Finding::TooLarge { size: size.plain, limit }];
    Err(Refused { component: component.to_owned(), findings })
}

fn import(interface: &Interface, grants: Grants) -> Option<Finding> {
    if interface.is_wasi_3() {
        return Some(Finding::Wasi3(interface.clone()));
    }
    let granted = match interface.package() {
        Some("wasi:filesystem") => grants.files,
        Some("wasi:sockets") => grants.sockets,
        _ => false,
    };
    match served(interface) {
        None => Some(Finding::Import(interface.clone())),
        Some(Served::Empty) if granted => Some(Finding::Granted(interface.clone())),
        Some(Served::Empty) => Some(Finding::Empty(interface.clone())),
        Some(Served::Fully) => None,
    }
}

impl Finding {
    /// Returns what to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::Import(interface) => import_advice(interface),
            Self::Wasi3(_) => "build the component for WASI 0.2: no edge network has an implementation of \
                 WASI 0.3 yet"
                .to_owned(),
            Self::Granted(interface) if interface.package() == Some("wasi:filesystem") => {
                "an edge network has no folders: keep the data in the component or fetch it over HTTP, and remove \
                 `filesystem` from its capabilities"
                    .to_owned()
            }
            Self::Granted(_) => "an edge network has no sockets: send requests by wasi:http, and remove `sockets` \
                 from the capabilities"
                .to_owned(),
            Self::Empty(_) => "the language's standard library imports this in every component; at the edge no file \
                 exists and no socket can be opened"
                .to_owned(),
            Self::NoHandler(_) => format!(
                "deploy a component whose world exports `{HANDLER}`, and choose it with `components` in the profile"
            ),
            Self::TooLarge { .. } => "make the component smaller: build with `opt_level = \"release\"`, and leave \
                 out dependencies"
                .to_owned(),
        }
    }
}

fn import_advice(interface: &Interface) -> String {
    match interface.package() {
        Some("wasi:keyvalue" | "wasi:config" | "wasi:logging" | "wasi:nn" | "wasi:tls") => format!(
            "an edge network has no `{}`: use variables (`vars` in the profile) for settings, standard error for \
             logs, and an HTTP service for data",
            interface.package().unwrap_or_default()
        ),
        Some(package) if !package.starts_with("wasi:") => format!(
            "add the component that exports `{interface}` to `dependencies` of this component, so that both are \
             composed"
        ),
        _ => "remove what uses this import from the component".to_owned(),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Import(interface) => {
                write!(f, "it imports `{interface}`, which the edge network does not have")
            }
            Self::Wasi3(interface) => {
                write!(f, "it needs WASI 0.3 (`{interface}`), and the edge network has WASI 0.2")
            }
            Self::Granted(interface) => {
                write!(
                    f,
                    "it is granted and imports `{interface}`, of which the edge network has nothing"
                )
            }
            Self::Empty(interface) => {
                write!(f, "it imports `{interface}`, which is empty at the edge")
            }
            Self::NoHandler(exports) => {
                write!(f, "it exports no `{HANDLER}`, so it can't answer requests")?;
                let names: Vec<_> = exports.iter().map(|export| format!("`{export}`")).collect();
                if names.is_empty() {
                    Ok(())
                } else {
                    write!(f, " (it exports {})", names.join(", "))
                }
            }
            Self::TooLarge { size, limit } => {
                write!(f, "its modules have {size} bytes, and the provider accepts {limit}")
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "component `{}` can't be deployed:", self.component)?;
        self.findings
            .iter()
            .try_for_each(|finding| write!(f, "\n  {finding}\n    {}", finding.advice()))
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "wasi:http/incoming-handler@0.2.4";

    fn world(imports: &[&str], exports: &[&str]) -> World {
        let functions = || BTreeSet::from(["f".to_owned()]);
        World {
            imports: imports.iter().map(|name| (Interface::from(*name), functions())).collect(),
            exports: exports.iter().map(|name| Interface::from(*name)).collect(),
        }
    }

    #[track_caller]
    fn refused(world: &World, grants: Grants, expect: &[&str]) {
        let text = check("api", world, grants).unwrap_err().to_string();
        assert!(text.starts_with("component `api` can't be deployed:"), "{text}");
        for part in expect {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
    }

    #[test]
    fn what_the_edge_serves_passes() {
        let imports =
            ["wasi:http/types@0.2.4", "wasi:http/outgoing-handler@0.2.12", "wasi:cli/stdin@0.2.0"];
        assert_eq!(check("api", &world(&imports, &[WEB]), Grants::default()), Ok(vec![]));
    }

    #[test]
    fn types_of_others_are_no_import() {
        let mut world = world(&[], &[WEB]);
        world.imports.insert("acme:money/types@1.2.0".into(), BTreeSet::new());
        assert_eq!(check("api", &world, Grants::default()), Ok(vec![]));
    }

    #[test]
    fn files_and_sockets_are_refused_only_if_they_were_granted() {
        let world = world(&["wasi:filesystem/preopens@0.2.0", "wasi:sockets/tcp@0.2.0"], &[WEB]);
        let empty = |name: &str| Finding::Empty(name.into());
        let notes =
            ["wasi:filesystem/preopens@0.2.0", "wasi:sockets/tcp@0.2.0"].map(empty).to_vec();
        assert_eq!(check("api", &world, Grants::default()), Ok(notes));
        refused(
            &world,
            Grants { files: true, sockets: false },
            &["wasi:filesystem/preopens", "no folders"],
        );
        refused(
            &world,
            Grants { files: false, sockets: true },
            &["wasi:sockets/tcp", "no sockets"],
        );
    }

    #[test]
    fn every_reason_is_named_with_what_to_do() {
        let none = Grants::default();
        let keyvalue = world(&["wasi:keyvalue/store@0.2.0-draft"], &["demo:x/y", "demo:x/z"]);
        refused(
            &keyvalue,
            none,
            &[
                "`wasi:keyvalue/store@0.2.0-draft`",
                "HTTP service",
                "(it exports `demo:x/y`, `demo:x/z`)",
            ],
        );
        refused(
            &world(&["demo:x/words@1.0.0"], &[WEB]),
            none,
            &["`demo:x/words@1.0.0`", "`dependencies`"],
        );
        refused(
            &world(&["wasi:clocks/timezone@0.2.0"], &[WEB]),
            none,
            &["wasi:clocks/timezone", "remove"],
        );
        refused(
            &world(&[], &[]),
            none,
            &["it exports no `wasi:http/incoming-handler`, so it can't answer"],
        );
        refused(
            &world(&["wasi:http/types@0.3.0"], &["wasi:http/handler@0.3.0"]),
            none,
            &["WASI 0.3"],
        );
    }

    #[test]
    fn sizes() {
        let size = |plain| Size { plain, compressed: 1 };
        assert_eq!(check_size("api", size(10), 10), Ok(()));
        let text = check_size("api", size(11), 10).unwrap_err().to_string();
        assert!(text.contains("11 bytes, and the provider accepts 10"), "{text}");
    }
}
