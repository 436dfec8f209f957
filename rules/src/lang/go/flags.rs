//! Reads `GOFLAGS` of a component: the flags of the go command that a build can honour.
//!
//! The compiler and the linker are called one by one here, so a flag has an effect only where it is passed
//! on. A flag that would have no effect, or that would break a guarantee of a build, is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::error::GoError;

/// The flags of a component.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// `-tags`.
    pub(super) tags: BTreeSet<String>,
    /// Arguments of the linker (`-ldflags`).
    pub(super) link: Vec<String>,
}

/// The flags that ask for what a build does anyway, or that do not change its result.
const IDLE: [&str; 9] = [
    "-buildvcs=auto",
    "-buildvcs=false",
    "-buildvcs=true",
    "-mod=readonly",
    "-mod=vendor",
    "-trimpath",
    "-trimpath=true",
    "-v",
    "-x",
];

impl Flags {
    /// Reads the variable `GOFLAGS`.
    pub(super) fn of(env: &BTreeMap<String, String>) -> Result<Self, GoError> {
        let mut flags = Self::default();
        let Some(text) = env.get("GOFLAGS") else { return Ok(flags) };
        let refused = |flag: &str| GoError::Flag { flag: flag.to_owned() };
        for flag in split(text).ok_or_else(|| refused(text))? {
            // One dash means the same as two.
            let flag = flag.strip_prefix('-').filter(|rest| rest.starts_with('-')).unwrap_or(&flag);
            match flag.split_once('=') {
                Some(("-tags", tags)) => {
                    let tags = tags.split([',', ' ']).filter(|tag| !tag.is_empty());
                    flags.tags = tags.map(str::to_owned).collect();
                }
                Some(("-ldflags", text)) => {
                    let arguments = split(text).ok_or_else(|| refused(flag))?;
                    flags.link = link(&arguments).ok_or_else(|| refused(flag))?;
                }
                Some(("-p", _)) => {}
                _ if IDLE.contains(&flag) => {}
                _ => return Err(refused(flag)),
            }
        }
        Ok(flags)
    }

    /// Returns the flag `-tags`, if there are tags.
    pub(super) fn tags_flag(&self) -> Option<String> {
        let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        (!tags.is_empty()).then(|| format!("-tags={}", tags.join(",")))
    }
}

/// Splits the arguments of the linker into words; `None` if one of them is not for this linker.
fn link(arguments: &[String]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let argument =
            argument.strip_prefix('-').filter(|rest| rest.starts_with('-')).unwrap_or(argument);
        match argument {
            "-s" | "-w" | "-s=true" | "-w=true" => found.push(argument.to_owned()),
            "-X" => found.push(format!("-X={}", rest.next().filter(|value| value.contains('='))?)),
            _ if argument.strip_prefix("-X=").is_some_and(|value| value.contains('=')) => {
                found.push(argument.to_owned());
            }
            _ => return None,
        }
    }
    Some(found)
}

/// Splits a text into words, which may be quoted as a whole (`cmd/internal/quoted`). `None` if a quote is not
/// closed.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '\'' | '"' => rest[1..].split_once(first)?,
            _ => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Flags, String> {
        let env = BTreeMap::from([("GOFLAGS".to_owned(), text.to_owned())]);
        Flags::of(&env).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_that_are_honoured_are_read() {
        let flags =
            of("-tags=b,a -trimpath '-ldflags=-s -X main.version=1 -X=a/b.C=x' --p=2").unwrap();
        assert_eq!(flags.tags_flag().unwrap(), "-tags=a,b");
        assert_eq!(flags.link, ["-s", "-X=main.version=1", "-X=a/b.C=x"]);
        assert_eq!(of("  ").unwrap(), Flags::default());
        assert_eq!(Flags::of(&BTreeMap::new()).unwrap().tags_flag(), None);
        // The quotes within the word belong to the linker's arguments.
        let both = of("-ldflags='-X=main.text=a b' \"-tags=x y\"");
        assert!(
            both.unwrap_err().contains("-ldflags='-X=main.text=a"),
            "a quotation begins a word"
        );
        assert_eq!(of("-ldflags='-X=main.text=a'").unwrap().link, ["-X=main.text=a"]);
        assert_eq!(of("\"-tags=x y\"").unwrap().tags.len(), 2);
        assert_eq!(of("\"-ldflags=-X 'main.text=a b'\"").unwrap().link, ["-X=main.text=a b"]);
    }

    #[test]
    fn flags_without_an_effect_are_refused() {
        for flag in [
            "-race",
            "-mod=mod",
            "-gcflags=-N",
            "-ldflags=-linkmode=external",
            "-ldflags=-X",
            "-ldflags=-X=main.version",
            "-toolexec=x",
            "-tags",
            "'-tags=x",
        ] {
            let error = of(flag).unwrap_err();
            assert!(error.contains(flag), "{error}");
        }
    }
}
