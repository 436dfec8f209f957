//! Placeholders such as `{machine}`, which let one recipe serve all platforms when only names differ.
//!
//! They are replaced before a recipe gets its id. So a recipe with `{debian-cpu}` has the same id on one
//! platform as a recipe that has the name written out.

use std::collections::BTreeMap;

use super::{Layer, Origin};
use crate::platform::Platform;

impl Platform {
    /// Returns the placeholders of recipes, each with the word that replaces it on this platform.
    const fn placeholders(self) -> [(&'static str, &'static str); 4] {
        match self {
            Self::Aarch64Linux => [
                ("{machine}", "aarch64"),
                ("{debian}", "arm64"),
                ("{debian-cpu}", "aarch64"),
                ("{npm-cpu}", "arm64"),
            ],
            Self::X86_64Linux => [
                ("{machine}", "x86_64"),
                ("{debian}", "amd64"),
                ("{debian-cpu}", "x86-64"),
                ("{npm-cpu}", "x64"),
            ],
        }
    }

    /// Returns the text with its placeholders replaced. Other braces stay, because globs have them, too.
    pub(super) fn fill_in(self, text: &str) -> String {
        let placeholders = self.placeholders().into_iter();
        placeholders.fold(text.to_owned(), |text, (name, word)| text.replace(name, word))
    }

    /// Returns the map with the placeholders in its keys and values replaced.
    pub(super) fn fill_in_map(self, map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        map.iter().map(|(key, value)| (self.fill_in(key), self.fill_in(value))).collect()
    }
}

impl Layer {
    /// Returns the layer with the placeholders replaced for a platform.
    pub(super) fn on(mut self, platform: Platform) -> Self {
        let fill_in = |text: &mut String| *text = platform.fill_in(text);
        match &mut self.from {
            Origin::Debian(from) => from.packages.iter_mut().for_each(fill_in),
            Origin::Url(from) => fill_in(&mut from.url),
            Origin::Path(from) => fill_in(&mut from.path),
            Origin::Npm(from) => from.packages = platform.fill_in_map(&from.packages),
            Origin::Crates(_) | Origin::Pypi(_) | Origin::Rustup(_) => {}
        }
        fill_in(&mut self.at);
        self.rename = platform.fill_in_map(&self.rename);
        self.exclude.iter_mut().for_each(fill_in);
        self.executable.iter_mut().for_each(fill_in);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_platforms_words_are_filled_in() {
        let check = |text: &str, x86: &str, arm: &str| {
            assert_eq!(Platform::X86_64Linux.fill_in(text), x86);
            assert_eq!(Platform::Aarch64Linux.fill_in(text), arm);
        };
        check(
            "binutils-{debian-cpu}-linux-gnu",
            "binutils-x86-64-linux-gnu",
            "binutils-aarch64-linux-gnu",
        );
        check("@tool/linux-{npm-cpu}", "@tool/linux-x64", "@tool/linux-arm64");
        check("tool-{machine}_{debian}", "tool-x86_64_amd64", "tool-aarch64_arm64");
        check("lib/{a,b}/{version}", "lib/{a,b}/{version}", "lib/{a,b}/{version}");
    }
}
