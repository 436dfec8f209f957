//! Newtypes over texts that are checked once, when they are parsed.
//!
//! Each type brings a parser of its own. The rest is the same for all of them, so it is declared here once.

/// Declares a newtype over a text, parsed by a function from `&str` to `Result<String, Invalid>`.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $parse:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Returns the text in its normalised form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::manifest::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $parse(text).map(Self)
            }
        }
    };
}

pub(super) use text_type;
