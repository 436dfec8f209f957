//! The catalogue: which toolchains exist, in which versions, and the recipes of their images.
//!
//! All of it is data (`catalogue/*.toml`); this file gives it types. A recipe with its version filled
//! in has an id, a digest over everything that decides how its packages become an image, so that a
//! lock made by another recipe is noticed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use cache::{Digest, DigestFunction};
use serde::{Deserialize, Serialize};

use super::lock::Lock;
use super::{Platform, resolution};

/// Changed whenever the unpackers make other trees of the same packages.
pub(super) const UNPACKER_VERSION: u32 = 1;

/// Everything that can be installed.
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

/// The lock that says which packages the recipes were tried with.
#[derive(Clone, Debug, Default)]
enum Pins {
    /// A catalogue of one's own has none.
    #[default]
    None,
    /// Those that this program has embedded.
    Builtin,
    /// Those of a test.
    #[cfg(test)]
    Lock(Lock),
}

/// Rules for every layer of a source.
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

/// One toolchain, in all its versions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolchain {
    /// What it is, in one line.
    pub about: String,
    /// The version taken when nobody asks for one.
    pub default: String,
    #[serde(rename = "recipe")]
    recipes: Vec<Versions>,
}

/// A recipe and the versions and platforms it serves.
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

/// How the image of one version of a toolchain is made, for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recipe {
    /// The toolchain's name.
    pub toolchain: String,
    /// Its version.
    pub version: String,
    /// The platform.
    pub platform: Platform,
    /// The packages, in the order in which they are unpacked.
    pub layers: Vec<Layer>,
    /// Symbolic links of the image: path and target.
    pub links: BTreeMap<String, String>,
}

/// Packages of one source, unpacked by the same rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The packages.
    pub from: Origin,
    /// The folder of the image they are unpacked to; the root if empty.
    #[serde(default)]
    pub at: String,
    /// Whether the one folder that an archive has everything in is left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strip: bool,
    /// Archive folder → image folder.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// Globs over image paths that are left out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Globs over image paths that are made executable.
    #[serde(default)]
    pub executable: Vec<String>,
}

/// The packages of a layer, by their source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A crate's sources from a Cargo registry.
    Crates(CratePackage),
    /// Binary packages of a Debian suite.
    Debian(DebianPackages),
    /// Packages of an npm registry, with all they need.
    Npm(NpmPackages),
    /// A wheel from the Python package index.
    Pypi(Wheel),
    /// Components of a Rust release.
    Rustup(RustComponents),
    /// An archive at a URL.
    Url(UrlArchive),
    /// A folder or an archive on this machine.
    Path(LocalPath),
}

/// A crate's sources from a Cargo registry, without the folder that they are packed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CratePackage {
    /// The crate's name.
    pub package: String,
    /// Its version.
    pub version: String,
}

/// Binary packages of a Debian suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianPackages {
    /// The code name of the release: `bookworm`.
    pub suite: String,
    /// The archive area: `main`.
    pub component: String,
    /// The names of the binary packages. Nothing is added for their dependencies.
    pub packages: Vec<String>,
}

/// Packages of an npm registry, with all they need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NpmPackages {
    /// What to get: name → version, no range.
    pub packages: BTreeMap<String, String>,
    /// Versions to take of packages that these need, whatever they ask for: name → version.
    #[serde(default)]
    pub overrides: BTreeMap<String, String>,
}

/// A wheel from the Python package index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wheel {
    /// What to get: `NAME==VERSION`.
    pub requirement: String,
    /// The platform tags that are allowed, without the machine: `manylinux_2_28`.
    pub platforms: Vec<String>,
    /// The version of the Python that will run it.
    pub python: String,
}

/// Components of a Rust release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RustComponents {
    /// Components for the host: `rustc`, `cargo`, `rust-std`.
    pub components: Vec<String>,
    /// Further targets whose standard library is wanted.
    #[serde(default)]
    pub targets: Vec<String>,
}

/// An archive at a URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UrlArchive {
    /// Where it is: `https:`, `http:` or `file:`.
    pub url: String,
    /// The SHA-256 of its bytes, in hexadecimal. A catalogue always has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A folder or an archive on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalPath {
    /// Its path.
    pub path: String,
}

/// What is wrong with a request to the catalogue, or with a catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// There is no toolchain of that name.
    #[error("there is no toolchain `{name}`{}", suggest(.known, .name))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The toolchain has no such version.
    #[error("toolchain `{name}` has no version `{version}`, known: {}", known.join(", "))]
    UnknownVersion {
        /// The toolchain.
        name: String,
        /// The version asked for.
        version: String,
        /// The versions there are.
        known: Vec<String>,
    },
    /// There is no image of the toolchain for that platform.
    #[error("toolchain `{name}` {version} has no image for {platform}")]
    NoPlatform {
        /// The toolchain.
        name: String,
        /// The version asked for.
        version: String,
        /// The platform asked for.
        platform: Platform,
    },
    /// The text is no catalogue.
    #[error("invalid toolchain catalogue: {0}")]
    Syntax(String),
}

/// The nearest of the known names, or all of them, as the end of a message.
pub(super) fn suggest(known: &[String], name: &str) -> String {
    let near = known.iter().max_by(|a, b| {
        let score = |candidate: &str| strsim::jaro_winkler(candidate, name);
        score(a).total_cmp(&score(b))
    });
    match near {
        Some(near) if strsim::jaro_winkler(near, name) > 0.8 => {
            format!(" (did you mean `{near}`?)")
        }
        None => String::new(),
        Some(_) => format!(", known: {}", known.join(", ")),
    }
}

/// The files of the embedded catalogue, as one text.
const TEXT: &str = concat!(
    include_str!("catalogue/defaults.toml"),
    include_str!("catalogue/cargo-component.toml"),
    include_str!("catalogue/componentize-py.toml"),
    include_str!("catalogue/esbuild.toml"),
    include_str!("catalogue/go.toml"),
    include_str!("catalogue/jco.toml"),
    include_str!("catalogue/rust.toml"),
    include_str!("catalogue/typescript.toml"),
    include_str!("catalogue/zig.toml"),
);

static BUILTIN: LazyLock<Catalogue> = LazyLock::new(|| {
    let catalogue = Catalogue::parse(TEXT).expect("a test parses the embedded catalogue");
    Catalogue { pins: Pins::Builtin, ..catalogue }
});

impl Catalogue {
    /// The catalogue of this program.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// Reads a catalogue of the same form, for toolchains of one's own.
    ///
    /// # Errors
    /// The text is no catalogue, or a toolchain's default version is none of its versions.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let catalogue: Self =
            toml::from_str(text).map_err(|error| CatalogueError::Syntax(error.to_string()))?;
        for (name, toolchain) in &catalogue.toolchains {
            toolchain.check_version(name, &toolchain.default)?;
            toolchain.check_urls(name)?;
        }
        Ok(catalogue)
    }

    /// The packages that the recipes were tried with, as a lock; a catalogue of one's own has none.
    pub(super) fn pins(&self) -> Option<&Lock> {
        match &self.pins {
            Pins::None => None,
            Pins::Builtin => Some(&resolution::BUILTIN),
            #[cfg(test)]
            Pins::Lock(lock) => Some(lock),
        }
    }

    /// The same catalogue with pins.
    #[cfg(test)]
    pub(super) fn with_pins(self, lock: Lock) -> Self {
        Self { pins: Pins::Lock(lock), ..self }
    }

    /// The names of all toolchains, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.toolchains.keys().map(String::as_str)
    }

    /// The toolchain of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn toolchain(&self, name: &str) -> Result<&Toolchain, CatalogueError> {
        self.toolchains.get(name).ok_or_else(|| CatalogueError::Unknown {
            name: name.to_owned(),
            known: self.names().map(ToOwned::to_owned).collect(),
        })
    }

    /// The recipe of one version of a toolchain, with its version and platform filled in.
    ///
    /// # Errors
    /// There is no such toolchain, version, or image for the platform.
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

impl CratePackage {
    /// The crate as cargo's commands name it.
    pub(crate) fn key(&self) -> String {
        format!("{}@{}", self.package, self.version)
    }

    /// The folder that it is packed in.
    pub(crate) fn folder(&self) -> String {
        format!("{}-{}", self.package, self.version)
    }

    /// The name of its archive.
    pub(crate) fn file(&self) -> String {
        format!("{}.crate", self.folder())
    }
}

impl Toolchain {
    /// The platforms that there are recipes of a version for.
    pub fn platforms<'a>(&'a self, version: &'a str) -> impl Iterator<Item = Platform> {
        let has = move |recipe: &&Versions| recipe.versions.iter().any(|known| known == version);
        self.recipes.iter().filter(has).flat_map(|recipe| recipe.platforms.iter().copied())
    }

    /// Every version there is a recipe for, as listed.
    pub fn versions(&self) -> impl Iterator<Item = &str> {
        self.recipes.iter().flat_map(|recipe| recipe.versions.iter().map(String::as_str))
    }

    /// Whether there is a recipe for the version; `name` is the toolchain's, for the message.
    ///
    /// # Errors
    /// There is none.
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

impl Recipe {
    /// A digest over everything that decides how the packages become an image, except the
    /// packages' own versions.
    #[must_use]
    pub fn id(&self) -> String {
        let text = serde_json::to_vec(&(UNPACKER_VERSION, self))
            .expect("strings, lists and maps with string keys can be written as JSON");
        Digest::of(DigestFunction::Sha256, &text).hex()
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
                crate::toolchain::unpack::Placement::new(layer).unwrap();
            }
        }
        let names = [
            "cargo-component",
            "componentize-py",
            "esbuild",
            "go",
            "jco",
            "rust",
            "typescript",
            "zig",
        ];
        assert_eq!(catalogue.names().collect::<Vec<_>>(), names);
        use super::super::{
            CARGO_COMPONENT, COMPONENTIZE_PY, ESBUILD, GO, JCO, RUST, TYPESCRIPT, ZIG,
        };
        assert_eq!(
            [CARGO_COMPONENT, COMPONENTIZE_PY, ESBUILD, GO, JCO, RUST, TYPESCRIPT, ZIG],
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

    /// Locks of released versions have these.
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
