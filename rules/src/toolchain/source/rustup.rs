//! Components of a Rust release, as rustup installs them.
//!
//! rustup checks the archives of components against the channel's manifest, and keeps only what they unpack
//! to. So a component is pinned by the tree of its files, and the SHA-256 of its archive is copied from the
//! manifest. rustup keeps a list of the files of each component, from which they are read here. The files
//! that rustup writes for itself (its lists, its settings, the channel manifest) depend on what else is
//! installed, and are in no list.
//!
//! If the user has installed a release with all needed components, it is used. Otherwise, or if its files
//! have been changed, rustup installs the release into a private folder.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cache::{Digest, ScratchDir};
use serde::Deserialize;

use super::error::{RustupError, SourceError};
use super::resolved::Resolved;
use super::session::Session;
use crate::bounded;
use crate::package::environment::CARGO;
use crate::package::fetch::Client;
use crate::package::unpack::Contents;
use crate::package::{Event, Purl};
use crate::platform::{Platform, host_platform};
use crate::toolchain::Recipe;
use crate::toolchain::lock::{Package, Pin, SourceKind};
use crate::toolchain::origin::RustComponents;
use crate::toolchain::recipe::Layer;

/// The releases that a session has found or installed.
#[derive(Default)]
pub(super) struct Releases {
    installed: Mutex<BTreeMap<String, Option<Arc<Release>>>>,
    private: Mutex<BTreeMap<String, Arc<Release>>>,
}

/// An installed release.
struct Release {
    folder: PathBuf,
    channel: Channel,
    /// Keeps the folder of a private release until the session ends.
    _home: Option<PrivateHome>,
}

/// A private folder of rustup. Dropping this deletes the folder at once and not in the background, because it
/// is large and the program may end soon.
struct PrivateHome(ScratchDir);

impl Drop for PrivateHome {
    fn drop(&mut self) {
        // Files that can't be deleted are swept later, like any other scratch folder.
        let _ = cache::remove_tree(self.0.path());
    }
}

/// The fields of a channel's manifest that are read.
#[derive(Deserialize)]
struct Channel {
    pkg: BTreeMap<String, ChannelPackage>,
}

#[derive(Deserialize)]
struct ChannelPackage {
    version: String,
    #[serde(default)]
    target: BTreeMap<String, ChannelArchive>,
}

#[derive(Deserialize)]
struct ChannelArchive {
    xz_url: Option<String>,
    xz_hash: Option<String>,
}

/// A component of a release.
struct Component<'a> {
    package: &'a str,
    target: &'a str,
}

impl Component<'_> {
    /// Returns rustup's name for the component.
    fn name(&self) -> String {
        format!("{}-{}", self.package, self.target)
    }
}

/// Returns the names of the components that a layer asks for. Locked packages are matched by these names.
pub(crate) fn keys(from: &RustComponents, platform: Platform) -> Vec<String> {
    components(from, platform).iter().map(Component::name).collect()
}

fn components(from: &RustComponents, platform: Platform) -> Vec<Component<'_>> {
    let host =
        from.components.iter().map(|package| Component { package, target: platform.rust_host() });
    let targets = from.targets.iter().map(|target| Component { package: "rust-std", target });
    host.chain(targets).collect()
}

/// Pins the components of a release, from an installation of the release.
pub(super) fn resolve(
    session: &Session<'_>,
    from: &RustComponents,
    layer: &Layer,
    recipe: &Recipe,
) -> Result<Vec<Resolved>, SourceError> {
    let release = match session.findings::<Releases>().installed(session, from, recipe)? {
        Some(release) => release,
        None => session.findings::<Releases>().private(session, from, recipe)?,
    };
    let components = components(from, recipe.platform);
    session.parallel(&components, |component| {
        let contents = release.contents(session, layer, &component.name())?;
        let tree = session.keep_tree(&component.name(), &contents)?;
        release.resolved(component, recipe, tree)
    })
}

/// Returns the files of a locked component, from the installation whose files are the locked ones.
pub(super) fn fetch(
    session: &Session<'_>,
    from: &RustComponents,
    layer: &Layer,
    recipe: &Recipe,
    (package, tree): (&Package, &Digest),
) -> Result<Contents, SourceError> {
    if let Some(release) = session.findings::<Releases>().installed(session, from, recipe)? {
        let contents = release.contents(session, layer, &package.from)?;
        if session.locked_tree(&package.from, &contents)? == *tree {
            return Ok(contents);
        }
        let warning = format!(
            "the installed Rust {} has other files of {} than locked; a fresh one is installed for this build",
            recipe.version, package.from
        );
        session.events.event(Event::Warning(&warning));
    }
    session.findings::<Releases>().private(session, from, recipe)?.contents(
        session,
        layer,
        &package.from,
    )
}

impl Releases {
    /// Returns the user's own installation of the release, if it has all components.
    fn installed(
        &self,
        session: &Session<'_>,
        from: &RustComponents,
        recipe: &Recipe,
    ) -> Result<Option<Arc<Release>>, RustupError> {
        let mut known = self.installed.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{}-{}", recipe.version, recipe.platform);
        if let Some(found) = known.get(&key) {
            return Ok(found.clone());
        }
        let found = find_installed(session, from, recipe)?.map(Arc::new);
        known.insert(key, found.clone());
        Ok(found)
    }

    /// Returns an installation of the release in a private folder, which lasts as long as the session.
    fn private(
        &self,
        session: &Session<'_>,
        from: &RustComponents,
        recipe: &Recipe,
    ) -> Result<Arc<Release>, RustupError> {
        let mut known = self.private.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{}-{}", recipe.version, recipe.platform);
        if let Some(release) = known.get(&key) {
            return Ok(Arc::clone(release));
        }
        let release = Arc::new(install(session, from, recipe)?);
        known.insert(key, Arc::clone(&release));
        Ok(release)
    }
}

fn client<'a>(session: &'a Session<'_>) -> Client<'a> {
    Client { program: &session.registries.programs.rustup, install: "install rustup" }
}

fn find_installed(
    session: &Session<'_>,
    from: &RustComponents,
    recipe: &Recipe,
) -> Result<Option<Release>, RustupError> {
    let show_home = |command: &mut std::process::Command| {
        command.args(["show", "home"]);
    };
    let home = session.run(client(session), CARGO, show_home)?.succeeded()?;
    let home = PathBuf::from(String::from_utf8_lossy(&home).trim());
    let host = recipe.platform.rust_host();
    for channel in [recipe.version.as_str(), "stable"] {
        let folder = home.join("toolchains").join(format!("{channel}-{host}"));
        let Some(release) = Release::open(folder, None)? else { continue };
        let has = |key: &String| release.list(key).exists();
        if release.version() == recipe.version && keys(from, recipe.platform).iter().all(has) {
            return Ok(Some(release));
        }
    }
    Ok(None)
}

fn install(
    session: &Session<'_>,
    from: &RustComponents,
    recipe: &Recipe,
) -> Result<Release, RustupError> {
    let version = &recipe.version;
    if session.registries.network.offline {
        return Err(RustupError::Offline { version: version.clone() });
    }
    session.events.event(Event::Client { client: "rustup", what: &format!("install {version}") });
    let home = PrivateHome(session.store.scratch()?);
    let toolchain = format!("{version}-{}", recipe.platform.rust_host());
    let configure = |command: &mut std::process::Command| {
        command.env("RUSTUP_HOME", home.0.path());
        command.args(["toolchain", "install", &toolchain, "--profile", "minimal"]);
        command.arg("--no-self-update");
        for target in &from.targets {
            command.args(["--target", target]);
        }
        if host_platform() != Ok(recipe.platform) {
            command.arg("--force-non-host");
        }
    };
    session.run(client(session), CARGO, configure)?.succeeded()?;
    let folder = home.0.path().join("toolchains").join(&toolchain);
    let manifest = channel_manifest(&folder);
    Release::open(folder, Some(home))?
        .ok_or_else(|| RustupError::Read { path: manifest, source: io::ErrorKind::NotFound.into() })
}

fn channel_manifest(folder: &Path) -> PathBuf {
    folder.join("lib/rustlib/multirust-channel-manifest.toml")
}

impl Release {
    /// Opens an installation. Returns `None` if the folder does not exist or was not installed from a
    /// channel.
    fn open(folder: PathBuf, home: Option<PrivateHome>) -> Result<Option<Self>, RustupError> {
        let path = channel_manifest(&folder);
        let text = match bounded::read_text(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(RustupError::Read { path, source }),
        };
        let channel = toml::from_str(&text)
            .map_err(|error| RustupError::Manifest { path, message: error.message().to_owned() })?;
        Ok(Some(Self { folder, channel, _home: home }))
    }

    /// Returns the version of the release. In the manifest the commit follows it.
    fn version(&self) -> &str {
        let version = self.channel.pkg.get("rust").map_or("", |package| &package.version);
        version.split(' ').next().unwrap_or(version)
    }

    /// Returns the path of rustup's list of a component's files.
    fn list(&self, component: &str) -> PathBuf {
        self.folder.join("lib/rustlib").join(format!("manifest-{component}"))
    }

    fn contents(
        &self,
        session: &Session<'_>,
        layer: &Layer,
        component: &str,
    ) -> Result<Contents, SourceError> {
        let list = self.list(component);
        let text =
            bounded::read_text(&list).map_err(|source| RustupError::Read { path: list, source })?;
        let files = listed(&self.folder, &text)?;
        session.unpack(component, layer, |unpacker| unpacker.folder(&self.folder, Some(&files)))
    }

    fn resolved(
        &self,
        component: &Component<'_>,
        recipe: &Recipe,
        tree: Digest,
    ) -> Result<Resolved, SourceError> {
        let package = self.channel.pkg.get(component.package);
        let archive = package.and_then(|package| package.target.get(component.target));
        let archive = archive.ok_or_else(|| RustupError::NoComponent {
            version: recipe.version.clone(),
            component: component.name(),
        })?;
        let file = archive.xz_url.as_deref().and_then(|url| url.rsplit('/').next());
        let qualifiers = [("target", component.target)];
        Ok(Resolved {
            purl: Purl::new("generic", component.package, &recipe.version, &qualifiers),
            source: SourceKind::Rustup,
            key: component.name(),
            from: component.name(),
            file: file.map(ToOwned::to_owned),
            pin: Pin::Tree { tree, sha256: archive.xz_hash.clone() },
        })
    }
}

/// Returns the files of a component: those of `file:path` lines, and all files in the folders of `dir:path`
/// lines.
fn listed(folder: &Path, list: &str) -> Result<Vec<String>, RustupError> {
    let mut files = Vec::new();
    for line in list.lines() {
        match line.split_once(':') {
            Some(("file", path)) => files.push(path.to_owned()),
            Some(("dir", path)) => {
                for entry in walkdir::WalkDir::new(folder.join(path)).sort_by_file_name() {
                    let entry = entry.map_err(|error| RustupError::Read {
                        path: folder.join(path),
                        source: error.into_io_error().unwrap_or(io::ErrorKind::Other.into()),
                    })?;
                    let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
                    files.push(below.to_string_lossy().into_owned());
                }
            }
            _ => {}
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn components_are_named_as_rustup_does() {
        let from = RustComponents {
            components: vec!["rustc".into(), "rust-std".into()],
            targets: vec!["wasm32-wasip2".into()],
        };
        let expect = [
            "rustc-x86_64-unknown-linux-gnu",
            "rust-std-x86_64-unknown-linux-gnu",
            "rust-std-wasm32-wasip2",
        ];
        assert_eq!(keys(&from, Platform::X86_64Linux), expect);
    }

    #[test]
    fn lists_name_files_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("share/doc")).unwrap();
        fs::write(folder.path().join("share/doc/a"), "").unwrap();
        let files = listed(folder.path(), "file:bin/cargo\ndir:share/doc\n").unwrap();
        assert_eq!(files, ["bin/cargo", "share/doc", "share/doc/a"]);
    }

    #[test]
    fn the_channels_manifest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = channel_manifest(folder.path());
        assert!(Release::open(folder.path().to_owned(), None).unwrap().is_none());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(
            &path,
            "manifest-version = \"2\"\n[pkg.rust]\nversion = \"1.95.0 (59807616e 2026-04-14)\"\n\
             [pkg.rust-std]\nversion = \"1.95.0\"\n[pkg.rust-std.target.wasm32-wasip2]\navailable = true\n\
             xz_url = \"https://host/rust-std-1.95.0-wasm32-wasip2.tar.xz\"\nxz_hash = \"68\"\n",
        )
        .unwrap();
        let release = Release::open(folder.path().to_owned(), None).unwrap().unwrap();
        assert_eq!(release.version(), "1.95.0");
        let archive = &release.channel.pkg["rust-std"].target["wasm32-wasip2"];
        assert_eq!(archive.xz_hash.as_deref(), Some("68"));
    }
}
