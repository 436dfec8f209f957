//! Tools that projects used to pin, and whose work `run` does itself now. A lock may still name them.

use std::fmt;

use super::Catalogue;

/// The names of the tools, each with the crates that do its work in this process.
const BUILT_IN: [(&str, &str); 2] = [
    ("wasm-tools", "wit-component 0.262.0 wasmparser 0.262.0"),
    ("wit-bindgen", "wit-bindgen-core 0.63.0"),
];

/// A tool that a lock may name, but for which nothing is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// The tool's name.
    pub name: &'static str,
    /// The crates that do its work, with their versions.
    pub crates: &'static str,
}

impl BuiltIn {
    /// Returns the built-in tool of that name. Returns `None` if there is none, or if the catalogue has a
    /// toolchain of that name.
    #[must_use]
    pub fn of(name: &str, catalogue: &Catalogue) -> Option<Self> {
        let (name, crates) = BUILT_IN.into_iter().find(|(built_in, _)| *built_in == name)?;
        catalogue.toolchain(name).is_err().then_some(Self { name, crates })
    }
}

impl fmt::Display for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "built into `run`, by {}", self.crates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_are_those_in_use() {
        for (_, crates) in BUILT_IN {
            crate::wasm::fixture::assert_locked(&format!("1 {crates}"));
        }
    }

    #[test]
    fn the_catalogue_goes_before() {
        let text = "[toolchain.wasm-tools]\nabout=''\ndefault='1'\n[[toolchain.wasm-tools.recipe]]\n\
                    versions=['1']\nplatforms=[]\nlayer=[]";
        assert_eq!(BuiltIn::of("wasm-tools", &Catalogue::parse(text).unwrap()), None);
        assert!(BuiltIn::of("wasm-tools", Catalogue::builtin()).is_some());
        assert_eq!(BuiltIn::of("rust", Catalogue::builtin()), None);
    }
}
