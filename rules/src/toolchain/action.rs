//! The installation of an image as an action of a build.
//!
//! The lock says in advance which tree the action results in. So dependents are keyed with that tree, and
//! nothing is fetched or unpacked until one of them really runs.

use std::sync::Arc;

use cache::DigestFunction;
use engine::{Action, Artifact, Builtin, BuiltinContext, BuiltinError, Label};

use super::image::ImageError;
use super::lock::{Image, Lock, Stale};
use super::source::SourceError;
use super::{Catalogue, Install, InstallError};
use crate::package::unpack::TREE_FUNCTION;
use crate::package::{Event, Events, Registries};
use crate::platform::{Platform, UnsupportedHost};

/// The name of the only output of an image's action.
pub const IMAGE: &str = "image";

/// The values that all actions that install images share.
#[derive(Clone, Debug)]
pub struct Images {
    /// The lock that pins the images.
    pub lock: Lock,
    /// The platform of the images, or an error if there are no images for this machine. The error matters
    /// only to a build that needs an image.
    pub platform: Result<Platform, UnsupportedHost>,
    /// The digest function of the build's store.
    pub function: DigestFunction,
    /// The settings by which registries are reached.
    pub registries: Arc<Registries>,
}

/// The reason why the action for an image can't be planned.
#[derive(Debug, thiserror::Error)]
pub enum NoImage {
    /// The lock does not have the image.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// There are no images for this machine.
    #[error(transparent)]
    Host(#[from] UnsupportedHost),
}

/// Returns the action that installs the image of a toolchain. Its output is [`IMAGE`].
///
/// # Errors
/// See [`NoImage`].
pub fn image_action(images: &Arc<Images>, name: &str) -> Result<Action, NoImage> {
    let image = images.lock.image(name, images.platform.clone()?)?.clone();
    let version = images.lock.version(name).unwrap_or_default().to_owned();
    let label = Label::new("toolchain", format!("{name} {version}"));
    let tree = image.tree;
    let action =
        Action::builtin(label, InstallImage { images: Arc::clone(images), image, version });
    let action = action.output(IMAGE);
    // A store with another digest function has another digest for the same tree. There the result becomes
    // known when the image is installed for the first time, and is cached then.
    Ok(if images.function == TREE_FUNCTION { action.pinned(tree) } else { action })
}

struct InstallImage {
    images: Arc<Images>,
    image: Image,
    version: String,
}

impl Builtin for InstallImage {
    fn name(&self) -> &str {
        "toolchain-image"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        let Image { toolchain, platform, recipe, tree } = &self.image;
        let platform = platform.to_string();
        vec![toolchain.clone(), self.version.clone(), platform, recipe.clone(), tree.to_string()]
    }

    fn needs_network(&self) -> bool {
        // Without a network it is tried nevertheless, because all packages may be in the store.
        !self.images.registries.network.offline
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let told = Told { cx };
        let install = Install {
            store: cx.store(),
            catalogue: Catalogue::builtin(),
            lock: &self.images.lock,
            platform: self.image.platform,
            registries: &self.images.registries,
            events: &told,
        };
        let tree = install.run(&self.image.toolchain).map_err(|error| failure(&error))?;
        cx.produce(IMAGE, Artifact::Tree(tree));
        Ok(())
    }
}

fn failure(error: &InstallError) -> BuiltinError {
    match error {
        _ if error.is_cancelled() => BuiltinError::Cancelled,
        _ if error.is_mismatch() => BuiltinError::mismatch(error),
        InstallError::Stale(_) | InstallError::Catalogue(_) => BuiltinError::failed(error),
        InstallError::Image(ImageError::Source(SourceError::Unpack { .. })) => {
            BuiltinError::failed(error)
        }
        _ => BuiltinError::infrastructure(error),
    }
}

/// Passes the events of the installation on to the build.
struct Told<'a> {
    cx: &'a BuiltinContext,
}

impl Events for Told<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Fetching { done, total, .. } => self.cx.progress(done, total),
            Event::Client { client, what } => self.cx.status(format!("{client}: {what}")),
            Event::Retrying { package, attempt, reason } => {
                self.cx.status(format!("{package}: try {attempt} failed: {reason}"));
            }
            Event::Warning(text) => self.cx.note(&format!("warning: {text}")),
            Event::Begun { .. }
            | Event::Resolving { .. }
            | Event::Installing { .. }
            | Event::Pinned { .. }
            | Event::Fetched { .. }
            | Event::Unpacked { .. }
            | Event::Verifying { .. } => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.cx.cancelled()
    }
}
