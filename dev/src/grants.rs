//! Turns the capabilities of run.toml into what a component may do at run time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rules::manifest::{Capability, Component, Folder, HostPattern, Manifest};
use runtime::{Access, Clock, Grants, HostRule, Preopen, Random};

/// The variables and values of the machine, of which a component gets those that it is granted.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// The environment variables.
    pub env: BTreeMap<String, String>,
    /// The configuration values.
    pub config: BTreeMap<String, String>,
}

/// Returns what a component may do: what its own capabilities grant, and those of all components and packages that it is composed with,
/// because a composed component is one to the host. The composition takes from each part what only others have. Folders are those of the
/// project in `folder`.
#[must_use]
pub fn grants(component: &Component, manifest: &Manifest, folder: &Path, offer: &Offer) -> Grants {
    let mut grants = Grants::default();
    let parts = parts(component, manifest).into_iter().flat_map(|part| &part.capabilities);
    let tests = manifest.dev_dependencies.values().filter(|_| *component.test);
    let packages = manifest.dependencies.values().chain(tests);
    for capability in parts.chain(packages.flat_map(|package| &package.capabilities)) {
        grant(&mut grants, &capability.value, folder, offer);
    }
    grants
}

/// Returns a component and all that it is composed with, each once.
fn parts<'m>(component: &'m Component, manifest: &'m Manifest) -> Vec<&'m Component> {
    let (mut found, mut known) = (vec![component], BTreeSet::from([component.name.as_str()]));
    let mut next = 0;
    while let Some(part) = found.get(next).copied() {
        next += 1;
        for name in part.dependencies.iter().map(|name| name.value.as_str()) {
            let sibling = manifest.components.iter().find(|sibling| sibling.name.as_str() == name);
            if let Some(sibling) = sibling.filter(|_| known.insert(name)) {
                found.push(sibling);
            }
        }
    }
    found
}

/// Grants what one capability allows.
pub fn grant(grants: &mut Grants, capability: &Capability, folder: &Path, offer: &Offer) {
    match capability {
        // The server decides what it serves.
        Capability::HttpServer => {}
        Capability::HttpClient(pattern) => allow(&mut grants.http_client, pattern.as_ref()),
        Capability::Sockets(pattern) => allow(&mut grants.sockets, pattern.as_ref()),
        Capability::Clock => grants.clock = Some(Clock::Host),
        Capability::Random => grants.random = Some(Random::Host),
        Capability::Filesystem(None) => open(grants, folder, ".", true),
        Capability::Filesystem(Some(Folder { path, writable })) => {
            open(grants, &folder.join(path.as_str()), path.as_str(), *writable);
        }
        Capability::Env(name) => {
            pick(&mut grants.env, &offer.env, name.as_ref().map(|name| name.as_str()));
        }
        Capability::Config(key) => pick(&mut grants.config, &offer.config, key.as_deref()),
        Capability::Stdio => grants.stdio = true,
        Capability::Keyvalue(name) => match (&mut grants.keyvalue, name) {
            (access, None) => *access = Access::Everything,
            (Access::Everything, Some(_)) => {}
            (Access::Only(names), Some(name)) => names.push(name.clone()),
            (access @ Access::Nothing, Some(name)) => *access = Access::Only(vec![name.clone()]),
        },
        Capability::Logging => grants.logging = true,
    }
}

/// Adds a host to those that may be reached, or all of them.
fn allow(access: &mut Access<HostRule>, pattern: Option<&HostPattern>) {
    let Some(HostPattern { host, subdomains, port }) = pattern else {
        *access = Access::Everything;
        return;
    };
    let rule = HostRule { host: host.clone(), subdomains: *subdomains, port: *port };
    match access {
        Access::Everything => {}
        Access::Only(rules) => rules.push(rule),
        Access::Nothing => *access = Access::Only(vec![rule]),
    }
}

/// Adds a folder, or lets one that is there be written to.
fn open(grants: &mut Grants, host: &Path, guest: &str, writable: bool) {
    match grants.filesystem.iter_mut().find(|known| known.guest == guest) {
        Some(known) => known.writable |= writable,
        None => grants.filesystem.push(Preopen {
            host: host.to_owned(),
            guest: guest.to_owned(),
            writable,
        }),
    }
}

/// Adds the value of one name, or all values.
fn pick(picked: &mut Vec<(String, String)>, all: &BTreeMap<String, String>, only: Option<&str>) {
    let wanted = all.iter().filter(|(name, _)| only.is_none_or(|only| only == name.as_str()));
    for (name, value) in wanted {
        if !picked.iter().any(|(known, _)| known == name) {
            picked.push((name.clone(), value.clone()));
        }
    }
}
