//! The facts about a package that was fetched.

use serde::{Deserialize, Serialize};

/// The kind of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageKind {
    /// Interfaces and worlds, without code.
    Wit,
    /// A component that can be composed with others.
    Component,
}

impl PackageKind {
    /// Returns the name of the kind, as it is written in the lock.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wit => "wit",
            Self::Component => "component",
        }
    }
}

/// The facts about a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The kind of package.
    pub kind: PackageKind,
    /// The name of a WIT package, `namespace:name`. Components have none.
    pub name: Option<String>,
    /// The version that a WIT package says it has.
    pub version: Option<String>,
    /// The WIT packages that it refers to and does not contain whole, each as `namespace:name@version`, sorted.
    pub refers_to: Vec<String>,
    /// The features that gate parts of its WIT, sorted.
    pub features: Vec<String>,
    /// The imports of a component.
    pub imports: Vec<String>,
    /// The exports of a component.
    pub exports: Vec<String>,
}
