//! The keys whose value is one word of a fixed set.

use std::fmt;
use std::str::FromStr;

use super::invalid::Invalid;

/// Declares an enum whose variants are words of `run.toml`, in one place.
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

            /// The word used in `run.toml`.
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
    /// How much the compilers optimise: `[build].opt_level`.
    OptLevel, "opt_level",
    /// Quick to build, with checks and symbols.
    Debug = "debug",
    /// Quick to run.
    Release = "release",
}

choice! {
    /// What a deployment profile deploys to: `[deploy.NAME].target_type`.
    TargetType, "target_type",
    /// A provider's edge network; `provider` names it.
    Edge = "edge",
    /// A component registry.
    Registry = "registry",
}

choice! {
    /// How much the development server logs: `[dev].log_level`. Ordered from quiet to talkative.
    LogLevel, "log_level",
    /// Failures only.
    Error = "error",
    /// And what looks wrong.
    Warn = "warn",
    /// And what happens.
    Info = "info",
    /// And why.
    Debug = "debug",
    /// And everything else.
    Trace = "trace",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        OptLevel::ALL.iter().for_each(|x| assert_eq!(x.as_str().parse(), Ok(*x)));
        TargetType::ALL.iter().for_each(|x| assert_eq!(x.as_str().parse(), Ok(*x)));
        LogLevel::ALL.iter().for_each(|x| assert_eq!(x.as_str().parse(), Ok(*x)));
    }

    #[test]
    fn levels_are_ordered() {
        assert!(LogLevel::Error < LogLevel::Trace);
    }
}
