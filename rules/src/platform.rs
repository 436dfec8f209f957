//! The platforms that toolchain images are made for, and the name of each in every registry.
//!
//! It is always about the machine that runs the toolchain. The target of a compilation is always WebAssembly.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A machine that toolchain images run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Platform {
    /// 64-bit ARM with Linux and the GNU C library.
    Aarch64Linux,
    /// 64-bit x86 with Linux and the GNU C library.
    X86_64Linux,
}

impl Platform {
    /// All platforms, in the order in which a lock lists them.
    pub const ALL: [Self; 2] = [Self::Aarch64Linux, Self::X86_64Linux];

    /// Returns the platform's name in a lock and in the catalogue.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aarch64Linux => "aarch64-linux",
            Self::X86_64Linux => "x86_64-linux",
        }
    }

    /// Returns Debian's name of the architecture.
    #[must_use]
    pub const fn debian_architecture(self) -> &'static str {
        match self {
            Self::Aarch64Linux => "arm64",
            Self::X86_64Linux => "amd64",
        }
    }

    /// Returns Rust's name of the host, its target triple.
    #[must_use]
    pub const fn rust_host(self) -> &'static str {
        match self {
            Self::Aarch64Linux => "aarch64-unknown-linux-gnu",
            Self::X86_64Linux => "x86_64-unknown-linux-gnu",
        }
    }

    /// Returns Node's name of the processor.
    #[must_use]
    pub const fn node_cpu(self) -> &'static str {
        match self {
            Self::Aarch64Linux => "arm64",
            Self::X86_64Linux => "x64",
        }
    }

    /// Returns the processor's name at the end of the platform tags of Python wheels.
    #[must_use]
    pub const fn machine(self) -> &'static str {
        match self {
            Self::Aarch64Linux => "aarch64",
            Self::X86_64Linux => "x86_64",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Platform {
    type Err = UnknownPlatform;

    fn from_str(text: &str) -> Result<Self, UnknownPlatform> {
        let known = Self::ALL.into_iter().find(|platform| platform.as_str() == text);
        known.ok_or_else(|| UnknownPlatform(text.to_owned()))
    }
}

impl TryFrom<String> for Platform {
    type Error = UnknownPlatform;

    fn try_from(text: String) -> Result<Self, UnknownPlatform> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.as_str().to_owned()
    }
}

/// The error for a name that is not the name of a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown platform `{0}`, expected `aarch64-linux` or `x86_64-linux`")]
pub struct UnknownPlatform(pub String);

/// The error for a machine that no toolchain images are made for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no toolchain images are made for {architecture} {system}")]
pub struct UnsupportedHost {
    /// The processor, as Rust names it.
    pub architecture: &'static str,
    /// The operating system, as Rust names it.
    pub system: &'static str,
}

/// Returns the platform of the machine that this program was built for.
///
/// # Errors
/// Fails if no toolchain images are made for that machine.
pub const fn host_platform() -> Result<Platform, UnsupportedHost> {
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        Ok(Platform::X86_64Linux)
    } else if cfg!(all(target_os = "linux", target_arch = "aarch64")) {
        Ok(Platform::Aarch64Linux)
    } else {
        Err(UnsupportedHost { architecture: std::env::consts::ARCH, system: std::env::consts::OS })
    }
}

#[cfg(test)]
mod tests {
    use crate::platform::*;

    #[test]
    fn names_round_trip() {
        for platform in Platform::ALL {
            assert_eq!(platform.as_str().parse(), Ok(platform));
        }
        assert_eq!("sparc".parse::<Platform>(), Err(UnknownPlatform("sparc".into())));
    }

    #[test]
    fn the_order_is_that_of_the_names() {
        assert!(Platform::ALL.is_sorted());
        assert!(Platform::ALL.map(Platform::as_str).is_sorted());
    }
}
