//! The catalogue: the toolchains that exist, their versions, and the recipes of their images.
//!
//! All of it is data in `catalogue/*.toml`, to which this file gives types. It fetches nothing and knows no
//! registry's address.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use semver::Version;
use serde::Deserialize;

use super::lock::Lock;
use super::names::suggest;
use super::origin::{Origin, UrlArchive};
use super::recipe::{Layer, Recipe};
use crate::platform::Platform;

/// All toolchains that can be installed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    #[serde(default)]
    defaults: Defaults,
    #[serde(rename = "toolchain")]
    toolchains: BTreeMap<String, Toolchain>,
    #[serde(skip)]
    pins: Pins,
}

/// The lock with the packages that the recipes were tested with.
#[derive(Clone, Debug, Default)]
enum Pins {
    /// A catalogue of the user's own has no pins.
    #[default]
    None,
    /// The pins that are embedded in this program.
    Builtin,
    /// The pins of a test.
    #[cfg(test)]
    Lock(Lock),
}

/// The rules that apply to all layers from a source.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    #[serde(default)]
    debian: Rules,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    #[serde(default)]
    rename: BTreeMap<String, String>,
    #[serde(default)]
    exclude: Vec<String>,
}

/// A toolchain of the catalogue, with all its versions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolchain {
    /// A description of one line.
    pub about: String,
    /// The version that is taken if the project asks for none.
    pub default: String,
    /// Versions that replace the default beside older versions of another toolchain. The first that fits is
    /// taken.
    #[serde(default)]
    beside: Vec<Beside>,
    #[serde(rename = "recipe")]
    recipes: Vec<Versions>,
}

/// A default version for projects whose lock has `toolchain` in a version older than `before`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beside {
    toolchain: String,
    before: String,
    version: String,
}

/// A recipe with the versions and platforms that it is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Versions {
    versions: Vec<String>,
    platforms: Vec<Platform>,
    #[serde(default)]
    links: BTreeMap<String, String>,
    #[serde(rename = "layer")]
    layers: Vec<Layer>,
}

/// An error in a request to the catalogue, or in a catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// There is no toolchain of that name.
    #[error("there is no toolchain `{name}`{}", suggest(.known, .name))]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The names in the catalogue.
        known: Vec<String>,
    },
    /// The toolchain has no such version.
    #[error("toolchain `{name}` has no version `{version}`, known: {}", known.join(", "))]
    UnknownVersion {
        /// The toolchain's name.
        name: String,
        /// The version that was asked for.
        version: String,
        /// The versions in the catalogue.
        known: Vec<String>,
    },
    /// There is no image of the toolchain for that platform.
    #[error("toolchain `{name}` {version} has no image for {platform}")]
    NoPlatform {
        /// The toolchain's name.
        name: String,
        /// The version that was asked for.
        version: String,
        /// The platform that was asked for.
        platform: Platform,
    },
    /// The text is not a valid catalogue.
    #[error("invalid toolchain catalogue: {0}")]
    Syntax(String),
}

/// The files of the embedded catalogue, concatenated.
const TEXT: &str = concat!(
    include_str!("catalogue/defaults.toml"),
    include_str!("catalogue/cargo-component.toml"),
    include_str!("catalogue/componentize-py.toml"),
    include_str!("catalogue/esbuild.toml"),
    include_str!("catalogue/go.toml"),
    include_str!("catalogue/jco.toml"),
    include_str!("catalogue/rust.toml"),
    include_str!("catalogue/tinygo-go.toml"),
    include_str!("catalogue/typescript.toml"),
    include_str!("catalogue/zig.toml"),
);

/// The text of a lock with the default version of every toolchain for every platform, as `run toolchain sync
/// --upgrade` makes it.
const PINS: &str = include_str!("catalogue/pins.lock.toml");

/// The pins of the embedded catalogue. They are parsed when something is resolved for the first time, because
/// few commands resolve anything.
static PINNED: LazyLock<Lock> = LazyLock::new(|| {
    Lock::parse(PINS, Path::new("pins.lock.toml")).expect("a test reads the embedded pins")
});

static BUILTIN: LazyLock<Catalogue> = LazyLock::new(|| {
    let catalogue = Catalogue::parse(TEXT).expect("a test parses the embedded catalogue");
    Catalogue { pins: Pins::Builtin, ..catalogue }
});

impl Catalogue {
    /// Returns the catalogue of this program.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// Reads a catalogue of the same format, for toolchains of one's own.
    ///
    /// # Errors
    /// The text is not a valid catalogue, a default version is not among the toolchain's versions, or a
    /// layer's URL has no checksum.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let catalogue: Self =
            toml::from_str(text).map_err(|error| CatalogueError::Syntax(error.to_string()))?;
        for (name, toolchain) in &catalogue.toolchains {
            toolchain.check_version(name, &toolchain.default)?;
            for Beside { before, version, .. } in &toolchain.beside {
                toolchain.check_version(name, version)?;
                Version::parse(before)
                    .map_err(|error| CatalogueError::Syntax(format!("`{before}`: {error}")))?;
            }
            toolchain.check_urls(name)?;
        }
        Ok(catalogue)
    }

    /// Returns the lock with the packages that the recipes were tested with, or `None` for a catalogue of the
    /// user's own.
    pub(super) fn pins(&self) -> Option<&Lock> {
        match &self.pins {
            Pins::None => None,
            Pins::Builtin => Some(&PINNED),
            #[cfg(test)]
            Pins::Lock(lock) => Some(lock),
        }
    }

    /// Returns the same catalogue with these pins.
    #[cfg(test)]
    pub(super) fn with_pins(self, lock: Lock) -> Self {
        Self { pins: Pins::Lock(lock), ..self }
    }

    /// Returns the names of all toolchains, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.toolchains.keys().map(String::as_str)
    }

    /// Returns the toolchain of that name.
    ///
    /// # Errors
    /// The catalogue has no toolchain of that name.
    pub fn toolchain(&self, name: &str) -> Result<&Toolchain, CatalogueError> {
        self.toolchains.get(name).ok_or_else(|| CatalogueError::Unknown {
            name: name.to_owned(),
            known: self.names().map(ToOwned::to_owned).collect(),
        })
    }

    /// Returns the recipe of one version of a toolchain for a platform. Placeholders for both are replaced.
    ///
    /// # Errors
    /// The catalogue has no such toolchain or version, or no image for the platform.
    pub fn recipe(
        &self,
        name: &str,
        version: &str,
        platform: Platform,
    ) -> Result<Recipe, CatalogueError> {
        let toolchain = self.toolchain(name)?;
        toolchain.check_version(name, version)?;
        let fits = |recipe: &&Versions| {
            recipe.platforms.contains(&platform) && recipe.versions.iter().any(|v| v == version)
        };
        let found =
            toolchain.recipes.iter().find(fits).ok_or_else(|| CatalogueError::NoPlatform {
                name: name.to_owned(),
                version: version.to_owned(),
                platform,
            })?;
        Ok(Recipe {
            toolchain: name.to_owned(),
            version: version.to_owned(),
            platform,
            layers: found
                .layers
                .iter()
                .map(|layer| self.fill_in(layer, version).on(platform))
                .collect(),
            links: platform.fill_in_map(&found.links),
        })
    }

    fn fill_in(&self, layer: &Layer, version: &str) -> Layer {
        let mut layer = layer.clone();
        match &mut layer.from {
            Origin::Crates(from) => from.version = from.version.replace("{version}", version),
            Origin::Debian(_) => {
                for (from, to) in &self.defaults.debian.rename {
                    layer.rename.entry(from.clone()).or_insert_with(|| to.clone());
                }
                layer.exclude.splice(0..0, self.defaults.debian.exclude.iter().cloned());
            }
            Origin::Npm(npm) => npm
                .packages
                .values_mut()
                .for_each(|wanted| *wanted = wanted.replace("{version}", version)),
            Origin::Pypi(pypi) => pypi.requirement = pypi.requirement.replace("{version}", version),
            Origin::Url(url) => url.url = url.url.replace("{version}", version),
            Origin::Path(path) => path.path = path.path.replace("{version}", version),
            Origin::Rustup(_) => {}
        }
        layer
    }
}

impl Toolchain {
    /// Returns the platforms for which there are recipes of a version.
    pub fn platforms<'a>(&'a self, version: &'a str) -> impl Iterator<Item = Platform> {
        let has = move |recipe: &&Versions| recipe.versions.iter().any(|known| known == version);
        self.recipes.iter().filter(has).flat_map(|recipe| recipe.platforms.iter().copied())
    }

    /// Returns the version that is taken if the project asks for none, given the other versions in its lock.
    pub(super) fn default_beside(&self, lock: &Lock) -> &str {
        let read = |version: &str| Version::parse(version).ok();
        let fits = |beside: &&Beside| {
            let locked = lock.version(&beside.toolchain).and_then(read);
            locked.zip(read(&beside.before)).is_some_and(|(locked, before)| locked < before)
        };
        self.beside.iter().find(fits).map_or(&self.default, |beside| &beside.version)
    }

    /// Returns all versions that have a recipe, in the order of the catalogue.
    pub fn versions(&self) -> impl Iterator<Item = &str> {
        self.recipes.iter().flat_map(|recipe| recipe.versions.iter().map(String::as_str))
    }

    /// Checks that there is a recipe for the version. `name` is the toolchain's name for the error message.
    ///
    /// # Errors
    /// There is no recipe for the version.
    pub fn check_version(&self, name: &str, version: &str) -> Result<(), CatalogueError> {
        if self.versions().any(|known| known == version) {
            return Ok(());
        }
        Err(CatalogueError::UnknownVersion {
            name: name.to_owned(),
            version: version.to_owned(),
            known: self.versions().map(ToOwned::to_owned).collect(),
        })
    }
}

impl Toolchain {
    fn check_urls(&self, name: &str) -> Result<(), CatalogueError> {
        let origins = self.recipes.iter().flat_map(|recipe| &recipe.layers).map(|l| &l.from);
        for origin in origins {
            if let Origin::Url(UrlArchive { url, sha256: None }) = origin {
                let message = format!("`{url}` of toolchain `{name}` has no `sha256`");
                return Err(CatalogueError::Syntax(message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(name: &str) -> Recipe {
        let catalogue = Catalogue::builtin();
        let version = &catalogue.toolchain(name).unwrap().default;
        catalogue.recipe(name, version, Platform::X86_64Linux).unwrap()
    }

    #[test]
    fn every_recipe_of_the_embedded_catalogue_is_sound() {
        let catalogue = Catalogue::builtin();
        for name in catalogue.names() {
            let recipe = recipe(name);
            assert!(!recipe.layers.is_empty(), "{name}");
            for layer in &recipe.layers {
                crate::package::unpack::Placement::new(layer.rules()).unwrap();
            }
        }
        let names = [
            "cargo-component",
            "componentize-py",
            "esbuild",
            "go",
            "jco",
            "rust",
            "tinygo-go",
            "typescript",
            "zig",
        ];
        assert_eq!(catalogue.names().collect::<Vec<_>>(), names);
        use super::super::{
            CARGO_COMPONENT, COMPONENTIZE_PY, ESBUILD, GO, JCO, RUST, TINYGO_GO, TYPESCRIPT, ZIG,
        };
        assert_eq!(
            [CARGO_COMPONENT, COMPONENTIZE_PY, ESBUILD, GO, JCO, RUST, TINYGO_GO, TYPESCRIPT, ZIG],
            names
        );
    }

    #[test]
    fn the_embedded_catalogue_names_no_host() {
        assert!(!TEXT.contains("://"));
    }

    #[test]
    fn versions_and_defaults_are_filled_in() {
        let python = recipe("componentize-py");
        let Origin::Pypi(pypi) = &python.layers[0].from else { panic!("{python:?}") };
        assert_eq!(pypi.requirement, "componentize-py==0.25.1");
        assert_eq!(python.layers[1].rename["lib"], "usr/lib");
        assert!(python.layers[1].exclude.contains(&"usr/share/man/**".to_owned()));
        assert!(python.layers[0].exclude.is_empty());
    }

    #[test]
    fn go_has_the_run_time_package_of_the_bindings_generator() {
        let go = recipe("go");
        let Origin::Crates(from) = &go.layers[1].from else { panic!("{go:?}") };
        crate::wasm::fixture::assert_locked(&format!("1 {} {}", from.package, from.version));
    }

    #[test]
    fn the_id_follows_the_recipe() {
        let one = recipe("rust");
        assert_eq!(one.id(), recipe("rust").id());
        let mut other = one.clone();
        other.layers[0].exclude.pop();
        assert_ne!(one.id(), other.id());
    }

    #[test]
    fn a_catalogue_is_checked() {
        let check = |text: &str, expect: &str| {
            let error = Catalogue::parse(text).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        let head = "[toolchain.x]\nabout = ''\ndefault = '1'\n[[toolchain.x.recipe]]\n";
        let layer = "[[toolchain.x.recipe.layer]]\n";
        let wrong_default =
            format!("{head}versions=['2']\nplatforms=['x86_64-linux']\n{layer}from.path.path='x'");
        check(&wrong_default, "toolchain `x` has no version `1`, known: 2");
        let wrong_platform =
            format!("{head}versions=['1']\nplatforms=['vax']\n{layer}from.path.path='x'");
        check(&wrong_platform, "unknown platform `vax`");
        let unknown_key =
            format!("{head}versions=['1']\nplatforms=[]\n{layer}from.path.path='x'\nmode=1");
        check(&unknown_key, "unknown field `mode`");
        let unknown_source =
            format!("{head}versions=['1']\nplatforms=[]\n{layer}from.ftp.path='x'");
        check(&unknown_source, "unknown variant `ftp`");
        let unpinned = format!("{head}versions=['1']\nplatforms=[]\n{layer}from.url.url='file:/x'");
        check(&unpinned, "`file:/x` of toolchain `x` has no `sha256`");
    }

    /// Locks that released versions of `run` have written contain these ids.
    #[test]
    fn the_ids_of_released_recipes_stay() {
        let check = |name: &str, version: &str, expect: &str| {
            let recipe = Catalogue::builtin().recipe(name, version, Platform::X86_64Linux);
            assert_eq!(recipe.unwrap().id(), expect, "{name} {version}");
        };
        check("rust", "1.95.0", "6516a42f70ee0e6b681ea10d3f0a126c08a986e1219f0fcd83cbedea45becfe1");
        check(
            "componentize-py",
            "0.25.1",
            "3f815a674cd094094cb593b3c1fd0f46cb7999d58c60824929d1f05e01124093",
        );
    }

    #[test]
    fn a_default_may_follow_another_toolchain() {
        let go = Catalogue::builtin().toolchain("tinygo-go").unwrap();
        let check = |tinygo: Option<&str>, expect: &str| {
            let mut lock = Lock::default();
            lock.toolchains.extend(tinygo.map(|version| ("tinygo".into(), version.into())));
            assert_eq!(go.default_beside(&lock), expect, "{tinygo:?}");
        };
        check(Some("0.33.0"), "1.23.9");
        check(Some("0.36.0-dev"), "1.23.9");
        check(Some("0.36.0"), "1.24.11");
        check(Some("0.40.1"), &go.default);
        check(Some("unversioned"), &go.default);
        check(None, &go.default);
    }

    #[test]
    fn platforms_are_filled_in() {
        let arm = Catalogue::builtin().recipe("rust", "1.95.0", Platform::Aarch64Linux).unwrap();
        let Origin::Debian(debian) = &arm.layers[1].from else { panic!("{arm:?}") };
        assert!(debian.packages.contains(&"binutils-aarch64-linux-gnu".to_owned()));
        assert_ne!(arm.id(), recipe("rust").id());
    }

    #[test]
    fn a_platform_without_a_recipe_is_told() {
        let text = "[toolchain.x]\nabout=''\ndefault='1'\n[[toolchain.x.recipe]]\n\
                    versions=['1']\nplatforms=['x86_64-linux']\nlayer=[]";
        let catalogue = Catalogue::parse(text).unwrap();
        let error = catalogue.recipe("x", "1", Platform::Aarch64Linux).unwrap_err();
        assert_eq!(error.to_string(), "toolchain `x` 1 has no image for aarch64-linux");
    }
}
