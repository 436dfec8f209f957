//! Makes packages for a registry: of WIT, or of a component that was built.

use std::path::{Path, PathBuf};

use cache::{ContentStore, Digest};
use sandbox::Cancel;

use crate::dependency::{AdmitError, Packages};
use crate::manifest::{Limits, Manifest};
use crate::plan;
use crate::wasm::{BreakingErrand, EncodeErrand, Stamp, StampErrand};
use crate::wit::Request;
use crate::worker::{self, Done};

/// A WIT package in its binary form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedWit {
    /// The name of the package, and its version if it has one: `namespace:name@version`.
    pub name: String,
    /// The digest of the bytes in the store.
    pub digest: Digest,
}

/// Encodes the WIT package of a folder or file of a project, and writes facts into it.
///
/// # Errors
/// The WIT is invalid, or refers to what `[dependencies]` does not have.
pub fn encode_wit(
    (folder, manifest): (&Path, &Manifest),
    wit: &Path,
    packages: &Packages,
    stamp: &Stamp,
    store: &ContentStore,
    cancel: &Cancel,
) -> Result<EncodedWit, AdmitError> {
    let request = Request {
        root: folder.to_owned(),
        wit: Some(PathBuf::from(wit)),
        ..plan::wit_request(manifest, packages, false)
    };
    let errand = EncodeErrand { request, stamp: stamp.clone() };
    let Done { digest, text } = worker::run(errand, store, &limits(), cancel)?;
    Ok(EncodedWit { name: text, digest })
}

/// Writes facts into a component, and returns the digest of the result.
///
/// # Errors
/// The component can't be read.
pub fn stamp_component(
    component: &Digest,
    stamp: &Stamp,
    store: &ContentStore,
    cancel: &Cancel,
) -> Result<Digest, AdmitError> {
    let errand = StampErrand { component: component.to_string(), stamp: stamp.clone() };
    Ok(worker::run(errand, store, &limits(), cancel)?.digest)
}

/// Returns the changes that break users of a package, if `after` takes the place of `before`.
///
/// # Errors
/// One of them can't be read.
pub fn breaking_changes(
    before: &Digest,
    after: &Digest,
    store: &ContentStore,
    cancel: &Cancel,
) -> Result<Vec<String>, AdmitError> {
    let errand = BreakingErrand { before: before.to_string(), after: after.to_string() };
    let Done { text, .. } = worker::run(errand, store, &limits(), cancel)?;
    Ok(text.lines().map(ToOwned::to_owned).collect())
}

fn limits() -> sandbox::WorkerLimits {
    worker::limits(&Limits::default())
}
