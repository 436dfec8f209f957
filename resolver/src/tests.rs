//! Chooses versions of small worlds, some written by hand and hundreds at random. The latter are compared with a search that
//! tries everything.

mod random;
mod world;

use super::*;
use world::World;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// Returns the chosen packages as `name version`, sorted.
fn names(resolution: &Resolution) -> Vec<String> {
    let text =
        |((name, _), chosen): (&(String, Range), &Chosen)| format!("{name} {}", chosen.version);
    resolution.packages.iter().map(text).collect()
}

#[track_caller]
fn check(world: &World, roots: &[&str], locked: &[&str], expect: &[&str]) {
    let resolution = world.resolve(roots, locked).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(names(&resolution), expect);
}

#[test]
fn the_newest_version_that_fits_is_chosen() {
    let world = World::new(&["a 1.0.0", "a 1.2.0", "a 2.0.0", "b 0.1.0", "b 0.1.9", "b 0.2.0"]);
    check(&world, &["a ^1"], &[], &["a 1.2.0"]);
    check(&world, &["a *"], &[], &["a 2.0.0"]);
    check(&world, &["a >=1.0, <1.2", "b ^0.1"], &[], &["a 1.0.0", "b 0.1.9"]);
}

#[test]
fn versions_that_are_not_compatible_live_side_by_side() {
    let world =
        World::new(&["a 1.0.0", "a 2.0.0", "b 1.0.0: a ^1", "c 1.0.0: a ^2", "d 1.0.0: a >=1"]);
    check(&world, &["b ^1", "c ^1"], &[], &["a 1.0.0", "a 2.0.0", "b 1.0.0", "c 1.0.0"]);
    let resolution = world.resolve(&["b ^1", "c ^1", "d ^1"], &[]).unwrap();
    let needs = |name: &str| {
        let key = (name.to_owned(), Range::of(&version("1.0.0")));
        let needs = &resolution.packages[&key].needs;
        needs.iter().map(|(name, version)| format!("{name} {version}")).collect::<String>()
    };
    assert_eq!([needs("b"), needs("c"), needs("d")], ["a 1.0.0", "a 2.0.0", "a 2.0.0"]);
}

#[test]
fn an_older_version_is_taken_where_the_newest_leads_nowhere() {
    let world = World::new(&[
        "a 1.0.0: c ^1.0",
        "a 1.1.0: c ^1.1",
        "b 1.0.0: c <1.1",
        "c 1.0.0",
        "c 1.1.0",
    ]);
    check(&world, &["a ^1", "b ^1"], &[], &["a 1.0.0", "b 1.0.0", "c 1.0.0"]);
}

#[test]
fn a_locked_version_stays_as_long_as_it_fits() {
    let world = World::new(&["a 1.0.0", "a 1.1.0", "a 1.2.0 withdrawn"]);
    check(&world, &["a ^1"], &["a 1.0.0"], &["a 1.0.0"]);
    check(&world, &["a ^1.1"], &["a 1.0.0"], &["a 1.1.0"]);
    check(&world, &["a ^1"], &["a 1.2.0"], &["a 1.2.0"]);
    check(&world, &["a ^1"], &[], &["a 1.1.0"]);
}

#[test]
fn a_version_before_a_release_has_to_be_named() {
    let world = World::new(&["a 1.0.0", "a 1.1.0-rc.1", "b 1.0.0-rc.1"]);
    check(&world, &["a ^1"], &[], &["a 1.0.0"]);
    check(&world, &["a ^1.1.0-rc.1"], &[], &["a 1.1.0-rc.1"]);
    check(&world, &["b =1.0.0-rc.1"], &[], &["b 1.0.0-rc.1"]);
    assert!(world.resolve(&["b ^1"], &[]).is_err());
}

#[test]
fn a_circle_of_packages_is_chosen() {
    let world = World::new(&["a 1.0.0: b ^1", "b 1.0.0: a ^1"]);
    check(&world, &["a ^1"], &[], &["a 1.0.0", "b 1.0.0"]);
}

#[track_caller]
fn check_error(world: &World, roots: &[&str], expect: &str) {
    let error = world.resolve(roots, &[]).unwrap_err();
    assert_eq!(error.to_string(), expect);
}

#[test]
fn a_conflict_shows_the_chains() {
    let world = World::new(&[
        "a 1.0.0",
        "a 1.1.0",
        "a 1.3.0 withdrawn",
        "b 1.0.0: a ^1.1",
        "c 2.0.0: d ^1",
        "d 1.0.0: a <1.1",
    ]);
    check_error(
        &world,
        &["b ^1", "c ^2"],
        "no version of `a` fits everything that needs it:\n  \
         the project → b 1.0.0 needs a ^1.1\n  \
         the project → c 2.0.0 → d 1.0.0 needs a <1.1\n  \
         there is a 1.3.0 (withdrawn), 1.1.0, 1.0.0",
    );
    check_error(
        &world,
        &["a ^2"],
        "no version of `a` fits:\n  the project needs a ^2\n  \
         there is a 1.3.0 (withdrawn), 1.1.0, 1.0.0",
    );
    check_error(
        &World::new(&["b 1.0.0: a ^1"]),
        &["b ^1"],
        "no version of `a` fits:\n  the project → b 1.0.0 needs a ^1\n  there is no version of a",
    );
}

#[test]
fn a_source_that_fails_is_named_with_the_way_to_it() {
    let world = World::new(&["a 1.0.0: b ^1", "b 1.0.0: broken ^1"]);
    check_error(
        &world,
        &["a ^1"],
        "cannot find out about package `broken`, which a 1.0.0 → b 1.0.0 needs",
    );
    check_error(&world, &["broken *"], "cannot find out about package `broken`");
}

#[test]
fn many_packages_are_resolved_soon() {
    // A hundred layers of five packages with four versions each, and every version needs two of the next layer.
    let mut lines = Vec::new();
    for layer in 0..100 {
        for package in 0..5 {
            for minor in 0..4 {
                let needs = match layer {
                    99 => String::new(),
                    _ => {
                        let (next, other) = (layer + 1, (package + 1) % 5);
                        format!(": p{next}-{package} ^1.{minor}, p{next}-{other} ^1.0")
                    }
                };
                lines.push(format!("p{layer}-{package} 1.{minor}.0{needs}"));
            }
        }
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let resolution = World::new(&lines).resolve(&["p0-0 ^1", "p0-2 ^1", "p0-4 ^1"], &[]).unwrap();
    assert!(resolution.packages.len() > 490);
    assert!(resolution.packages.values().all(|chosen| chosen.version == version("1.3.0")));
}
