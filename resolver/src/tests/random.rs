//! Random worlds, compared with a search that tries everything.

use std::collections::BTreeMap;

use semver::Version;

use super::world::World;
use crate::{Need, Range, Resolution, resolve};

/// The number of worlds.
const WORLDS: u64 = 1500;

/// The numbers of a linear congruential generator: the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Returns a random requirement of a random package.
fn need(random: &mut Random) -> Need {
    let package = NAMES[random.below(4) as usize].to_owned();
    let (major, minor) = (random.below(2) + 1, random.below(3));
    let text = match random.below(5) {
        0 => format!("^{major}"),
        1 => format!("^{major}.{minor}"),
        2 => format!("={major}.{minor}.0"),
        3 => format!("<{major}.{minor}"),
        _ => format!(">={major}.{minor}"),
    };
    Need { package, requirement: text.parse().unwrap() }
}

fn world(random: &mut Random) -> World {
    let mut world = World::default();
    for name in NAMES {
        let versions: &mut BTreeMap<Version, Vec<Need>> =
            world.packages.entry(name.to_owned()).or_default();
        for _ in 0..=random.below(3) {
            let version = Version::new(random.below(2) + 1, random.below(3), 0);
            let needs = (0..random.below(3)).map(|_| need(random)).collect();
            versions.insert(version, needs);
        }
    }
    world
}

type Choice = BTreeMap<(String, Range), Version>;

fn is_met(need: &Need, choice: &Choice) -> bool {
    choice.iter().any(|((package, _), version)| {
        *package == need.package && need.requirement.matches(version)
    })
}

/// Returns whether a choice meets the needs of the project and of everything in it.
fn is_valid(world: &World, roots: &[Need], choice: &Choice) -> bool {
    let needs = choice.iter().flat_map(|((package, _), version)| &world.packages[package][version]);
    roots.iter().chain(needs).all(|need| is_met(need, choice))
}

/// Tries every choice of at most one version of each range.
fn is_solvable(world: &World, roots: &[Need]) -> bool {
    let mut ranges: BTreeMap<(String, Range), Vec<Version>> = BTreeMap::new();
    for (package, versions) in &world.packages {
        for version in versions.keys() {
            let range = (package.clone(), Range::of(version));
            ranges.entry(range).or_default().push(version.clone());
        }
    }
    let ranges: Vec<_> = ranges.into_iter().collect();
    try_all(world, roots, &ranges, &mut Choice::new())
}

fn try_all(
    world: &World,
    roots: &[Need],
    ranges: &[((String, Range), Vec<Version>)],
    choice: &mut Choice,
) -> bool {
    let Some(((range, versions), rest)) = ranges.split_first() else {
        return is_valid(world, roots, choice);
    };
    if try_all(world, roots, rest, choice) {
        return true;
    }
    for version in versions {
        choice.insert(range.clone(), version.clone());
        if try_all(world, roots, rest, choice) {
            return true;
        }
        choice.remove(range);
    }
    false
}

fn choice(resolution: &Resolution) -> Choice {
    let version = |(range, chosen): (&(String, Range), &crate::Chosen)| {
        (range.clone(), chosen.version.clone())
    };
    resolution.packages.iter().map(version).collect()
}

#[test]
fn random_worlds_are_solved_as_by_trying_everything() {
    let (mut solved, mut unsolvable) = (0, 0);
    for seed in 0..WORLDS {
        let mut random = Random(seed);
        let world = world(&mut random);
        let mut roots: Vec<Need> = (0..=random.below(3)).map(|_| need(&mut random)).collect();
        let found = resolve(&world, &roots, &[]);
        assert_eq!(found.is_ok(), is_solvable(&world, &roots), "{seed}: {roots:?} in {world:?}");
        let Ok(found) = found else {
            unsolvable += 1;
            continue;
        };
        solved += 1;
        let chosen = choice(&found);
        assert!(is_valid(&world, &roots, &chosen), "{seed}: {chosen:?} of {world:?}");
        // Nothing is in it that nobody needs.
        let mut reached = Vec::new();
        let mut next: Vec<(String, Version)> = found.roots.clone().into_iter().collect();
        while let Some((package, version)) = next.pop() {
            let range = (package, Range::of(&version));
            if !reached.contains(&range) {
                next.extend(found.packages[&range].needs.clone());
                reached.push(range);
            }
        }
        assert_eq!(reached.len(), found.packages.len(), "{seed}: {found:?}");
        // Neither the order of the needs nor a lock that has the result changes anything.
        roots.reverse();
        assert_eq!(resolve(&world, &roots, &[]).unwrap(), found, "{seed}");
        let mut locked: Vec<(String, Version)> =
            chosen.into_iter().map(|((package, _), version)| (package, version)).collect();
        locked.reverse();
        assert_eq!(resolve(&world, &roots, &locked).unwrap(), found, "{seed}");
    }
    assert!(solved > 200 && unsolvable > 200, "{solved} solved, {unsolvable} unsolvable");
}
