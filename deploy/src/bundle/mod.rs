//! Turns a component into modules that an edge network runs: JavaScript and core WebAssembly.
//!
//! `js-component-bindgen`, the Rust part of jco, translates the component. The interfaces of WASI are implemented by
//! files of the npm package [`SHIM_PACKAGE`], which the caller supplies from wherever it pins packages; only the files
//! that the component needs become part of the bundle, unchanged. The modules in `js/` are our own: `handler.js`
//! makes an instance for each request and works around faults of the shims, and `worker.js` is the entry point.
//!
//! A bundle depends on the component and the shims alone: the same input gives the same files. Nothing here knows
//! names of workers, variables or accounts.

mod inline;
mod shim;
mod transpile;

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

pub use shim::{SHIM_PACKAGE, SHIM_VERSION};
pub(crate) use shim::{Served, served};

use crate::world::{Interface, World, WorldError};

/// The name of the module that a worker starts with.
pub const MAIN: &str = "worker.js";

/// The interface by which components answer HTTP requests.
pub(crate) const HANDLER: &str = "wasi:http/incoming-handler";

/// The modules of a component, by their paths. A bundle can be written to a folder and read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    modules: BTreeMap<String, Vec<u8>>,
}

/// The kind of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// An ECMAScript module.
    JavaScript,
    /// A core WebAssembly module.
    Wasm,
}

/// The size of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The number of bytes of all modules.
    pub plain: u64,
    /// The number of bytes of all modules after compression with gzip, each on its own.
    pub compressed: u64,
}

/// The reason why a component could not be turned into modules.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The component can't be read.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The component imports something that no shim implements.
    #[error("nothing implements the import `{0}` on an edge network")]
    Import(Interface),
    /// The component exports no HTTP handler.
    #[error("the component exports no `{HANDLER}`")]
    NoHandler,
    /// The component can't be translated.
    #[error("cannot translate the component to JavaScript: {0}")]
    Transpile(String),
    /// The translation has a WebAssembly module in it in a form that is not known.
    #[error("the translation has an embedded WebAssembly module of an unknown form: {0}")]
    Inline(String),
    /// The supplied shims are not those of the version that this program was made for.
    #[error("expected the shims of {SHIM_PACKAGE} {SHIM_VERSION}, found {0}")]
    ShimVersion(String),
    /// A file of the shims is missing.
    #[error("the package {SHIM_PACKAGE} has no file `{0}`")]
    ShimMissing(String),
    /// A file is not one of a bundle.
    #[error("`{0}` is not a module of a bundle")]
    Foreign(String),
    /// A bundle has no main module.
    #[error("the bundle has no `{MAIN}`")]
    NoMain,
}

/// Turns a component into modules.
///
/// `shims` are the files of the npm package [`SHIM_PACKAGE`] in version [`SHIM_VERSION`], by their paths in the
/// package, such as `dist/browser/io.js`. `package.json` has to be among them.
///
/// # Errors
/// If the component is invalid, exports no HTTP handler or imports something that no shim implements, or if the shims
/// are not the expected ones.
pub fn bundle(component: &[u8], shims: &BTreeMap<String, Vec<u8>>) -> Result<Bundle, BundleError> {
    shim::check_version(shims)?;
    let world = World::read(component)?;
    if world.export(HANDLER).is_none() {
        return Err(BundleError::NoHandler);
    }
    let mut modules = transpile::transpile(component, &world)?;
    let cores: Vec<_> = modules.keys().filter(|path| path.ends_with(".wasm")).cloned().collect();
    modules.insert("cores.js".to_owned(), shim::cores(&cores).into_bytes());
    modules.insert(
        "imports.js".to_owned(),
        shim::imports(&world, transpile::waits(&world))?.into_bytes(),
    );
    modules.extend(shim::needed(&world, shims)?);
    modules.insert("handler.js".to_owned(), include_bytes!("js/handler.js").to_vec());
    modules.insert("repairs.js".to_owned(), include_bytes!("js/repairs.js").to_vec());
    modules.insert(MAIN.to_owned(), include_bytes!("js/worker.js").to_vec());
    Ok(Bundle { modules })
}

impl Bundle {
    /// Takes files that [`Bundle::modules`] has given before.
    ///
    /// # Errors
    /// If a file is no module, or the main module is missing.
    pub fn from_files(files: BTreeMap<String, Vec<u8>>) -> Result<Self, BundleError> {
        if let Some(path) = files.keys().find(|path| Module::of(path).is_none()) {
            return Err(BundleError::Foreign(path.clone()));
        }
        if !files.contains_key(MAIN) {
            return Err(BundleError::NoMain);
        }
        Ok(Self { modules: files })
    }

    /// Returns the modules, by their paths, which have `/` between the names.
    #[must_use]
    pub const fn modules(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.modules
    }

    /// Returns true if the bundle suspends WebAssembly while it waits (JSPI), which not every host can.
    #[must_use]
    pub fn suspends(&self) -> bool {
        let imports = self.modules.get("imports.js").map(|bytes| String::from_utf8_lossy(bytes));
        imports.is_some_and(|text| text.contains(&shim::suspension(true)))
    }

    /// Returns the size of the bundle.
    #[must_use]
    pub fn size(&self) -> Size {
        let compressed = |bytes: &Vec<u8>| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
            written.expect("a Vec takes every byte").len() as u64
        };
        Size {
            plain: self.modules.values().map(|bytes| bytes.len() as u64).sum(),
            compressed: self.modules.values().map(compressed).sum(),
        }
    }

    /// Returns the SHA-256 digest of all paths and bytes, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (path, bytes) in &self.modules {
            for part in [path.as_bytes(), bytes] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        hex(&hash.finalize())
    }
}

impl Module {
    /// Returns the kind of the module with a path, or `None` if no module has such a path.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        match path.rsplit_once('.')?.1 {
            "js" => Some(Self::JavaScript),
            "wasm" => Some(Self::Wasm),
            _ => None,
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
