//! Reads the imports of a world, and chooses the features of the JavaScript engine by them.
//!
//! The engine brings functions of the web along (`console`, `fetch`, `Date`, `crypto`), each built on
//! interfaces of WASI. A feature is switched off if the world does not import its interfaces, because the
//! component would otherwise import more than its world allows.

use cache::{Digest, Memo};
use sandbox::Cancel;
use semver::Version;

use super::error::NpmError;
use crate::planner::{ComponentWit, PlanError, Planner};
use crate::wit::{self, ImportsErrand};
use crate::worker;

/// The part of a world that actions depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct World {
    /// The names of its imports, in the form in which a module imports them: `wasi:http/types@0.2.4`, `log`.
    pub(super) imports: Vec<String>,
    /// The names of its imported and exported functions that are `async`.
    async_functions: Vec<String>,
}

/// An interface that a world can't import in this version. The engine was built with a part of it that is
/// behind a feature gate in its WIT, so the two can't be merged.
const SOCKETS: &str = "wasi:sockets/network@0.2.10";

/// The engine's features, and the interfaces of WASI 0.2 that each is built on.
const FEATURES: [(&str, &[&str]); 4] = [
    ("clocks", &["wasi:clocks/monotonic-clock", "wasi:clocks/wall-clock"]),
    ("http", &["wasi:http/outgoing-handler"]),
    ("random", &["wasi:random/random"]),
    ("stdio", &["wasi:cli/stdout", "wasi:cli/stderr"]),
];

impl World {
    /// Returns the world of `wit`. It is parsed once per content and then remembered as a memo.
    pub(super) fn of(planner: &Planner<'_>, wit: &ComponentWit) -> Result<Self, PlanError> {
        let store = planner.store();
        let text = format!("javascript-world 2 {} {}", wit.tree, wit.world);
        let key = Digest::of(store.function(), text.as_bytes());
        let lines = match store.memo(&key) {
            Some(known) => known.text,
            None => {
                let lines = Self::read(planner, wit)?;
                store.put_memo(&key, &Memo { tree: wit.tree, text: lines.clone() })?;
                lines
            }
        };
        let world = Self::parse(&lines);
        world.check()?;
        Ok(world)
    }

    pub(super) fn parse(lines: &str) -> Self {
        let (mut imports, mut async_functions) = (Vec::new(), Vec::new());
        for line in lines.lines() {
            match line.strip_prefix(ImportsErrand::ASYNC) {
                Some(function) => async_functions.push(function.to_owned()),
                None => imports.push(line.to_owned()),
            }
        }
        Self { imports, async_functions }
    }

    fn read(planner: &Planner<'_>, wit: &ComponentWit) -> Result<String, PlanError> {
        let errand = ImportsErrand {
            folder: wit.tree.to_string(),
            origins: wit.origins.clone(),
            world: wit.world.clone(),
        };
        let limits = planner.worker_limits();
        Ok(worker::run(errand, planner.store(), &limits, &Cancel::new())?.text)
    }

    /// Refuses a world that the engine cannot implement.
    fn check(&self) -> Result<(), NpmError> {
        if self.imports.iter().any(|name| name == SOCKETS) {
            return Err(NpmError::EngineVersion(SOCKETS));
        }
        match self.async_functions.is_empty() {
            true => Ok(()),
            false => Err(NpmError::Async { functions: self.async_functions.clone() }),
        }
    }

    /// Returns the features that are on: those whose interfaces the world imports.
    pub(super) fn features(&self) -> Vec<&'static str> {
        let on = FEATURES.iter().filter(|(_, interfaces)| self.lacks(interfaces).is_empty());
        on.map(|(feature, _)| *feature).collect()
    }

    /// Returns the features that are off, each with the imports that the world would have to add.
    pub(super) fn off(&self) -> Vec<(&'static str, Vec<String>)> {
        let lacking = FEATURES.iter().map(|(feature, interfaces)| {
            let imports = self.lacks(interfaces).into_iter();
            (*feature, imports.map(|interface| self.versioned(interface)).collect())
        });
        lacking.filter(|(_, imports): &(_, Vec<_>)| !imports.is_empty()).collect()
    }

    fn lacks(&self, interfaces: &[&'static str]) -> Vec<&'static str> {
        let imported = |interface: &str| {
            let rest = |name: &String| name.strip_prefix(interface).map(str::to_owned);
            self.imports.iter().filter_map(rest).any(|rest| rest.starts_with("@0.2."))
        };
        interfaces.iter().copied().filter(|interface| !imported(interface)).collect()
    }

    /// Returns an interface of WASI with a version: the one that the world's other imports have, or else the
    /// newest.
    fn versioned(&self, interface: &str) -> String {
        let (_, path) = interface.split_once(':').expect("the interfaces above are WASI's");
        let (package, _) = path.split_once('/').expect("and each is of a package");
        let built_in = wit::built_in_versions("wasi", package);
        let wasi = self.imports.iter().filter(|name| name.starts_with("wasi:"));
        let versions = wasi.filter_map(|name| name.split_once('@')?.1.parse::<Version>().ok());
        let is_usable = |version: &Version| version.minor == 2 && built_in.contains(version);
        let version = versions.filter(is_usable).max();
        let newest = || wit::newest_built_in("wasi", package).expect("all of WASI 0.2 is built in");
        format!("{interface}@{}", version.unwrap_or_else(newest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_follow_the_imports() {
        let check = |imports: &str, expect: &[&str]| {
            assert_eq!(World::parse(imports).features(), expect, "{imports}");
        };
        check("", &[]);
        check("demo:calc/ops@0.1.0\nlog", &[]);
        check("wasi:cli/stdout@0.2.4", &[]);
        check("wasi:cli/stdout@0.2.4\nwasi:cli/stderr@0.2.4", &["stdio"]);
        check("wasi:http/types@0.2.4\nwasi:random/random@0.2.4", &["random"]);
        check(
            "wasi:http/outgoing-handler@0.2.12\nwasi:clocks/wall-clock@0.2.12\nwasi:clocks/monotonic-clock@0.2.12",
            &["clocks", "http"],
        );
    }
    #[test]
    fn what_is_off_is_told_with_the_imports_to_add() {
        let check = |imports: &str, feature: &str, expect: &[&str]| {
            let off = World::parse(imports).off();
            let found = off.iter().find(|(name, _)| *name == feature);
            assert_eq!(found.map_or(&[][..], |(_, imports)| imports), expect, "{imports}");
        };
        check("", "random", &["wasi:random/random@0.2.12"]);
        check("wasi:io/poll@0.2.3", "random", &["wasi:random/random@0.2.3"]);
        check("wasi:io/poll@0.2.77", "random", &["wasi:random/random@0.2.12"]);
        check("wasi:random/random@0.2.3", "random", &[]);
        check("wasi:random/random@0.3.0", "random", &["wasi:random/random@0.2.12"]);
        check("wasi:clocks/wall-clock@0.2.4", "clocks", &["wasi:clocks/monotonic-clock@0.2.4"]);
    }

    #[test]
    fn async_functions_are_refused_by_name() {
        let world = World::parse("wasi:io/poll@0.2.3\nasync demo:app/api#hello\nasync f");
        assert_eq!(world.imports, ["wasi:io/poll@0.2.3"]);
        let error = world.check().unwrap_err().to_string();
        assert!(error.contains("`demo:app/api#hello`, `f`"), "{error}");
        assert!(World::parse("wasi:io/poll@0.2.3").check().is_ok());
    }
}
