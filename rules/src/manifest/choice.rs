//! The types of keys whose value is one word of a fixed set.
//!
//! Each type is declared once, so its variants, its words and the message about a wrong word can't drift
//! apart.

use std::fmt;
use std::str::FromStr;

use super::invalid::Invalid;

/// Declares an enum together with the words of `run.toml` that its variants stand for.
macro_rules! choice {
    (
        $(#[$doc:meta])* $name:ident, $what:literal,
        $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// All values.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the word in `run.toml`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(Invalid::unknown($what, text, &[$($word),+])),
                }
            }
        }
    };
}

choice! {
    /// The degree to which compilers optimise: `[build].opt_level`.
    OptLevel, "opt_level",
    /// Quick to build, with checks and symbols.
    Debug = "debug",
    /// Quick to run.
    Release = "release",
}

choice! {
    /// The compiler of a component in Go: the key `compiler`.
    Compiler, "compiler",
    /// The compiler of the Go project.
    Go = "go",
    /// TinyGo, which makes small components.
    TinyGo = "tinygo",
}

choice! {
    /// The kind of target that a deployment profile deploys to: `[deploy.NAME].target_type`.
    TargetType, "target_type",
    /// A provider's edge network. The key `provider` names the provider.
    Edge = "edge",
    /// A component registry.
    Registry = "registry",
}

choice! {
    /// The outputs that a build downloads from the shared cache although no action needs them: `[cache].download`.
    Download, "download",
    /// All outputs of all results.
    All = "all",
    /// The components.
    Toplevel = "toplevel",
    /// None, not even the components.
    Minimal = "minimal",
}

choice! {
    /// The amount that the development server logs: `[dev].log_level`. Each level includes the ones above it.
    LogLevel, "log_level",
    /// Failures only.
    Error = "error",
    /// Warnings, too.
    Warn = "warn",
    /// The steps of the work, too.
    Info = "info",
    /// The reasons for the steps, too.
    Debug = "debug",
    /// Everything.
    Trace = "trace",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        Compiler::ALL.iter().for_each(|x| assert_eq!(x.as_str().parse(), Ok(*x)));
        OptLevel::ALL.iter().for_each(|x| assert_eq!(x.as_str().parse(), Ok(*x)));
        TargetType::ALL.iter().for_each(|x| assert_eq!(x.as_str().parse(), Ok(*x)));
        Download::ALL.iter().for_each(|x| assert_eq!(x.as_str().parse(), Ok(*x)));
        LogLevel::ALL.iter().for_each(|x| assert_eq!(x.as_str().parse(), Ok(*x)));
    }

    #[test]
    fn levels_are_ordered() {
        assert!(LogLevel::Error < LogLevel::Trace);
    }
}
