//! A world of packages that is written down in lines such as `a 1.0.0: b ^1, c >=2`.

use std::collections::BTreeMap;
use std::fmt;

use semver::Version;

use crate::{Need, Offer, Resolution, ResolveError, Source, resolve};

/// All versions of all packages, and what they need.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) packages: BTreeMap<String, BTreeMap<Version, Vec<Need>>>,
    withdrawn: Vec<(String, Version)>,
}

/// The package named `broken` can't be asked about.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is broken")
    }
}

impl std::error::Error for Broken {}

pub(super) fn need(text: &str) -> Need {
    let (package, requirement) = text.trim().split_once(' ').unwrap();
    Need { package: package.to_owned(), requirement: requirement.parse().unwrap() }
}

impl World {
    pub(super) fn new(lines: &[&str]) -> Self {
        let mut world = Self::default();
        for line in lines {
            let (head, needs) = line.split_once(':').unwrap_or((line, ""));
            let mut words = head.split_whitespace();
            let (name, version) = (words.next().unwrap().to_owned(), words.next().unwrap());
            let version: Version = version.parse().unwrap();
            if words.next() == Some("withdrawn") {
                world.withdrawn.push((name.clone(), version.clone()));
            }
            let needs = needs.split(", ").filter(|text| !text.trim().is_empty()).map(need);
            world.packages.entry(name).or_default().insert(version, needs.collect());
        }
        world
    }

    pub(super) fn resolve(
        &self,
        roots: &[&str],
        locked: &[&str],
    ) -> Result<Resolution, ResolveError<Broken>> {
        let roots: Vec<Need> = roots.iter().map(|text| need(text)).collect();
        let locked = locked.iter().map(|text| {
            let (name, version) = text.split_once(' ').unwrap();
            (name.to_owned(), version.parse().unwrap())
        });
        resolve(self, &roots, &locked.collect::<Vec<_>>())
    }
}

impl Source for World {
    type Error = Broken;

    fn versions(&self, package: &str) -> Result<Vec<Offer>, Broken> {
        if package == "broken" {
            return Err(Broken);
        }
        let offer = |version: &Version| {
            let is_withdrawn = self.withdrawn.contains(&(package.to_owned(), version.clone()));
            Offer { version: version.clone(), is_withdrawn }
        };
        Ok(self.packages.get(package).into_iter().flat_map(BTreeMap::keys).map(offer).collect())
    }

    fn needs(&self, package: &str, version: &Version) -> Result<Vec<Need>, Broken> {
        Ok(self.packages[package][version].clone())
    }
}
