//! Defines what a release has to prove: the list `[release] require` of run.toml.
//!
//! The policy is that of the one who checks, and comes from *their* run.toml or command line. The run.toml in a
//! release says what its makers wanted, and decides nothing.
//!
//! | requirement | a release fulfils it if |
//! |---|---|
//! | `signatures:N` | at least N different trusted keys vouch for the same build of the same files |
//! | `builder:URI` | each key that counts speaks for this builder, or for one of several that are required so |
//! | `clean-sources` | the sources were those of a commit |
//! | `strong-sandbox` | actions were separated by namespaces |
//! | `reproduced` | two rebuilds, as on other machines, gave the same bytes |

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::text::{is_plain, printable};

/// The number of rebuilds that `reproduced` demands: as many as `run verify` makes.
pub const REBUILDS: u32 = 2;

/// A requirement, as run.toml writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// This many different keys vouch for the release.
    Signatures(usize),
    /// The builder is this one, or another one that is required as well.
    Builder(String),
    /// The sources were those of a commit.
    CleanSources,
    /// Actions were separated by namespaces.
    StrongSandbox,
    /// Rebuilds gave the same bytes.
    Reproduced,
}

/// The reason why a text is not a requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequirementError {
    /// It is none.
    #[error(
        "`{0}` is not a requirement: there are `signatures:N`, `builder:URI`, `clean-sources`, `strong-sandbox` and `reproduced`"
    )]
    Unknown(String),
    /// The number makes no sense.
    #[error("`{0}` needs a number from 1 to 64")]
    Number(String),
    /// The builder is not a URI.
    #[error("`{0}` needs a URI, such as `builder:https://ci.example/builder`")]
    Uri(String),
    /// It stands there twice.
    #[error("`{0}` is required twice")]
    Twice(String),
    /// Two numbers contradict each other.
    #[error("`{0}` and `{1}` are both required: keep the one that is meant")]
    TwoNumbers(String, String),
}

/// The requirements of a release. Without any, one trusted key has to vouch for all files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    signatures: Option<usize>,
    builders: BTreeSet<String>,
    is_clean: bool,
    is_strong: bool,
    is_reproduced: bool,
}

impl Policy {
    /// Makes a policy of a list of requirements.
    ///
    /// # Errors
    /// Returns the index of the text that is wrong, and the reason.
    pub fn of(list: &[impl AsRef<str>]) -> Result<Self, (usize, RequirementError)> {
        let mut policy = Self::default();
        for (at, text) in list.iter().enumerate() {
            let added = text.as_ref().parse().and_then(|requirement| policy.add(requirement));
            added.map_err(|error| (at, error))?;
        }
        Ok(policy)
    }

    fn add(&mut self, requirement: Requirement) -> Result<(), RequirementError> {
        let shown = requirement.to_string();
        let is_new = match requirement {
            Requirement::Signatures(number) => match self.signatures.replace(number) {
                Some(other) if other != number => {
                    let other = Requirement::Signatures(other).to_string();
                    return Err(RequirementError::TwoNumbers(other, shown));
                }
                before => before.is_none(),
            },
            Requirement::Builder(uri) => self.builders.insert(uri),
            Requirement::CleanSources => !std::mem::replace(&mut self.is_clean, true),
            Requirement::StrongSandbox => !std::mem::replace(&mut self.is_strong, true),
            Requirement::Reproduced => !std::mem::replace(&mut self.is_reproduced, true),
        };
        if is_new { Ok(()) } else { Err(RequirementError::Twice(shown)) }
    }

    /// Returns the number of keys that have to vouch for a release: at least one.
    #[must_use]
    pub fn signatures(&self) -> usize {
        self.signatures.unwrap_or(1)
    }

    /// Returns the builders that are accepted. Without any, all are.
    #[must_use]
    pub const fn builders(&self) -> &BTreeSet<String> {
        &self.builders
    }

    /// Returns true if the sources have to be those of a commit.
    #[must_use]
    pub const fn needs_clean_sources(&self) -> bool {
        self.is_clean
    }

    /// Returns true if actions have to be separated by namespaces.
    #[must_use]
    pub const fn needs_strong_sandbox(&self) -> bool {
        self.is_strong
    }

    /// Returns true if rebuilds have to have given the same bytes.
    #[must_use]
    pub const fn needs_reproduced(&self) -> bool {
        self.is_reproduced
    }
}

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, RequirementError> {
        let shown = || printable(text, 200);
        match text.split_once(':') {
            Some(("signatures", number)) => {
                let is_number = number.bytes().all(|c| c.is_ascii_digit());
                match number.parse() {
                    Ok(number @ 1..=64) if is_number => Ok(Self::Signatures(number)),
                    _ => Err(RequirementError::Number(shown())),
                }
            }
            Some(("builder", uri)) => {
                let is_uri = is_plain(uri) && uri.contains(':') && !uri.contains(' ');
                let uri = is_uri.then(|| Self::Builder(uri.to_owned()));
                uri.ok_or_else(|| RequirementError::Uri(shown()))
            }
            None if text == "clean-sources" => Ok(Self::CleanSources),
            None if text == "strong-sandbox" => Ok(Self::StrongSandbox),
            None if text == "reproduced" => Ok(Self::Reproduced),
            _ => Err(RequirementError::Unknown(shown())),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signatures(number) => write!(f, "signatures:{number}"),
            Self::Builder(uri) => write!(f, "builder:{uri}"),
            Self::CleanSources => f.write_str("clean-sources"),
            Self::StrongSandbox => f.write_str("strong-sandbox"),
            Self::Reproduced => f.write_str("reproduced"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_requirements_is_a_policy() {
        let list = [
            "signatures:2",
            "builder:https://a.example/1",
            "builder:urn:b",
            "clean-sources",
            "strong-sandbox",
            "reproduced",
        ];
        for text in list {
            assert_eq!(text.parse::<Requirement>().unwrap().to_string(), text);
        }
        let policy = Policy::of(&list).unwrap();
        assert_eq!((policy.signatures(), policy.builders().len()), (2, 2));
        assert!(policy.needs_clean_sources() && policy.needs_strong_sandbox());
        assert!(policy.needs_reproduced());
        let none = Policy::of(&[] as &[&str]).unwrap();
        assert_eq!((none.signatures(), none.builders().len()), (1, 0));
        assert!(!none.needs_clean_sources() && !none.needs_strong_sandbox());
    }

    #[test]
    fn what_is_no_requirement_is_an_error_with_its_place() {
        let check = |list: &[&str], at: usize, fits: fn(&RequirementError) -> bool| {
            let (found, error) = Policy::of(list).unwrap_err();
            assert!(found == at && fits(&error), "{list:?}: {found} {error:?}");
        };
        check(&["clean"], 0, |error| matches!(error, RequirementError::Unknown(_)));
        check(&["reproduced", "reproduced:3"], 1, |error| {
            matches!(error, RequirementError::Unknown(_))
        });
        check(&["Reproduced"], 0, |error| matches!(error, RequirementError::Unknown(_)));
        for number in
            ["signatures:0", "signatures:", "signatures:65", "signatures:+2", "signatures:x"]
        {
            check(&[number], 0, |error| matches!(error, RequirementError::Number(_)));
        }
        for builder in ["builder:", "builder:ci", "builder:https://a b", "builder:urn:\u{202e}x"] {
            check(&[builder], 0, |error| matches!(error, RequirementError::Uri(_)));
        }
        check(&["reproduced", "reproduced"], 1, |error| {
            matches!(error, RequirementError::Twice(_))
        });
        check(&["signatures:2", "signatures:2"], 1, |error| {
            matches!(error, RequirementError::Twice(_))
        });
        check(&["signatures:2", "signatures:1"], 1, |error| {
            matches!(error, RequirementError::TwoNumbers(_, _))
        });
    }
}
