//! The features of its Cargo package that a component is compiled with.
//!
//! Whether the package has such features is not known here; Cargo says so when it compiles.

use super::diagnostic::Diagnostic;
use super::language::Language;
use super::name::CargoFeature;
use super::span::{Setting, Spanned};
use super::table::Reader;

/// The features that the Cargo package of a component in Rust is compiled with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    /// The features that are switched on.
    pub names: Vec<Spanned<CargoFeature>>,
    /// True if the package's default features are switched on, too.
    pub default: Setting<bool>,
}

impl Default for Features {
    fn default() -> Self {
        Self { names: Vec::new(), default: Setting::implied(true) }
    }
}

impl Features {
    pub(super) const KEYS: [&'static str; 2] = ["features", "default_features"];

    /// Reads the features. Refuses them in a language that has none.
    pub(super) fn read(reader: &mut Reader<'_, '_>, language: Option<Language>) -> Self {
        if let Some(language) = language.filter(|language| !language.has_features()) {
            for key in Self::KEYS {
                let Some(span) = reader.key(key) else { continue };
                reader.report(
                    Diagnostic::error(span, format!("a component in {language} has no `{key}`"))
                        .label("expected only for a component in rust")
                        .help("they are the features of a Cargo package"),
                );
            }
        }
        Self {
            names: reader.list("features"),
            default: Setting::or(reader.flag("default_features"), true),
        }
    }
}
