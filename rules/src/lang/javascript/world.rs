//! What a world imports, and what that means for the JavaScript engine.
//!
//! The engine brings the web's functions along (`console`, `fetch`, `Date`, `crypto`), each built on
//! interfaces of WASI. Those whose interfaces the world does not import are switched off, or the
//! component would import more than it was asked to.

use cache::Digest;
use sandbox::Cancel;

use super::NpmError;
use crate::lang::ComponentWit;
use crate::memo;
use crate::plan::{PlanError, Planner};
use crate::wit::ImportsErrand;
use crate::worker::{self, Errand};

/// The part of a world that decides about actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct World {
    /// The names of its imports, as a module imports them: `wasi:http/types@0.2.4`, `log`.
    pub(super) imports: Vec<String>,
}

/// The engine was built with a part of this version that is behind a gate in its WIT.
const SOCKETS: &str = "wasi:sockets/network@0.2.10";

/// The engine's features, and the interfaces that each is built on.
const FEATURES: [(&str, &[&str]); 4] = [
    ("clocks", &["wasi:clocks/monotonic-clock", "wasi:clocks/wall-clock"]),
    ("http", &["wasi:http/outgoing-handler"]),
    ("random", &["wasi:random/random"]),
    ("stdio", &["wasi:cli/stdout", "wasi:cli/stderr"]),
];

impl World {
    /// The world of `wit`. Parsed once per content, then remembered.
    pub(super) fn of(planner: &Planner<'_>, wit: &ComponentWit) -> Result<Self, PlanError> {
        let store = planner.store();
        let text = format!("javascript-world 1 {} {}", wit.tree, wit.world);
        let key = Digest::of(store.function(), text.as_bytes());
        if let Some((_, names)) = memo::recall(store, &key)? {
            return Ok(Self::parse(&names));
        }
        let world = Self::read(planner, wit)?;
        memo::remember(store, &key, &wit.tree, &world.imports.join("\n"))?;
        Ok(world)
    }

    fn parse(names: &str) -> Self {
        Self { imports: names.lines().map(str::to_owned).collect() }
    }

    fn read(planner: &Planner<'_>, wit: &ComponentWit) -> Result<Self, PlanError> {
        let errand = Errand::Imports(ImportsErrand {
            folder: wit.tree.to_string(),
            place: wit.place.to_string(),
            world: wit.world.clone(),
        });
        let limits = planner.worker_limits();
        let done = worker::run(errand, planner.store(), &limits, &Cancel::new())?;
        let world = Self::parse(&done.text);
        match world.imports.iter().any(|name| name == SOCKETS) {
            true => Err(NpmError::EngineVersion(SOCKETS).into()),
            false => Ok(world),
        }
    }

    /// The engine's features that the world has everything for.
    pub(super) fn features(&self) -> Vec<&'static str> {
        let imported = |interface: &&str| {
            let mut names = self.imports.iter();
            names.any(|name| name.split('@').next() == Some(*interface))
        };
        let on = FEATURES.iter().filter(|(_, interfaces)| interfaces.iter().all(imported));
        on.map(|(feature, _)| *feature).collect()
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
}
