//! The errands about WIT: completing a folder, listing the imports and `async` functions of a world, and describing a
//! package.
//!
//! A worker does them, because WIT may be hostile. They exchange digests and text with the process that asks.

use cache::{ContentStore, Digest, Entry, Tree};
use engine::BuiltinError;
use serde::{Deserialize, Serialize};
use wit_parser::{Resolve, World, WorldItem};

use super::fetched::describe;
use super::size::check_size;
use super::{
    CompleteError, CompletedWit, InvalidWit, Origins, Request, ResolvedWit, WorldError, complete,
    files, resolve, select_world,
};
use crate::worker::{Done, Errand, ErrandError, Refused};

/// Completes the WIT of a component, picks its world, and puts the folder into the store. The text of the
/// result is a [`Completed`] as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CompleteErrand {
    pub(crate) request: Request,
    /// The component's name. It picks the world if the package has several.
    pub(crate) component: String,
}

/// The facts that are known about a completed folder besides its digest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Completed {
    pub(crate) world: String,
    pub(crate) origins: Origins,
}

/// Lists the imports of a world, named as a module would name them, and the world's `async` functions, each
/// with the prefix [`ImportsErrand::ASYNC`]. Each is one line of the result's text.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ImportsErrand {
    /// The digest of the completed folder in the store.
    pub(crate) folder: String,
    /// The places that its files come from, for messages.
    pub(crate) origins: Origins,
    pub(crate) world: String,
}

/// Finds out what a package is. The text of the result is a [`Description`](super::Description) as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DescribeErrand {
    /// The digest of the package's tree in the store.
    pub(crate) tree: String,
}

impl From<CompleteError> for ErrandError {
    fn from(error: CompleteError) -> Self {
        match error {
            CompleteError::Store(error) => Self::Builtin(error),
            error => Self::Wit(Refused { hint: error.hint(), ..Refused::of(&error) }),
        }
    }
}

impl From<InvalidWit> for Refused {
    fn from(error: InvalidWit) -> Self {
        Self { has_place: error.at.is_some(), ..Self::of(&error) }
    }
}

impl From<WorldError> for Refused {
    fn from(error: WorldError) -> Self {
        let hint = matches!(error, WorldError::Ambiguous { .. })
            .then(|| "say which one with `world = \"…\"` in the component".to_owned());
        Self { is_about_world: true, hint, ..Self::of(&error) }
    }
}

impl Errand for CompleteErrand {
    const NAME: &'static str = "complete";

    fn run(self, store: &ContentStore) -> Result<Done, ErrandError> {
        let completed = complete(&self.request, store)?;
        let world = self.world(&completed).map_err(|refused| self.with_place(refused))?;
        let mut tree = Tree::default();
        for file in &completed.files {
            let digest = store.put(file.text.as_bytes())?;
            tree.insert(&file.path, Entry::File { digest, executable: false })
                .map_err(|error| BuiltinError::failed(&error))?;
        }
        let completed = Completed { world, origins: Origins::of(&completed.files) };
        let text = serde_json::to_string(&completed).expect("texts can be written");
        Ok(Done { digest: store.put_tree(&tree)?, text })
    }
}

impl CompleteErrand {
    /// Puts the WIT file or folder in front of the message, unless the message names a file already.
    fn with_place(&self, refused: Refused) -> Refused {
        match &self.request.wit {
            Some(wit) if !refused.has_place => {
                Refused { message: format!("{}: {}", wit.display(), refused.message), ..refused }
            }
            _ => refused,
        }
    }

    fn world(&self, completed: &CompletedWit) -> Result<String, Refused> {
        let ResolvedWit { resolve, package } = resolve(&completed.files)?;
        check_size(&resolve)?;
        let explicit = self.request.world.as_deref();
        let world = &resolve.worlds[select_world(&resolve, package, explicit, &self.component)?];
        // A world of another package has to be named in full.
        Ok(match world.package {
            Some(other) if other != package => resolve.id_of_name(other, &world.name),
            _ => world.name.clone(),
        })
    }
}

impl Errand for DescribeErrand {
    const NAME: &'static str = "describe";

    fn run(self, store: &ContentStore) -> Result<Done, ErrandError> {
        let digest: Digest = self.tree.parse().map_err(|error| BuiltinError::failed(&error))?;
        let description = describe(store, &digest)?;
        let text = serde_json::to_string(&description).expect("texts can be written");
        Ok(Done { digest, text })
    }
}

impl ImportsErrand {
    /// The prefix of an `async` function's name. No name has a space in it.
    pub(crate) const ASYNC: &str = "async ";
}

impl Errand for ImportsErrand {
    const NAME: &'static str = "imports";

    fn run(self, store: &ContentStore) -> Result<Done, ErrandError> {
        let Self { folder, origins, world } = self;
        let folder: Digest = folder.parse().map_err(|error| BuiltinError::failed(&error))?;
        let files = files(store, &folder, &origins)?;
        let ResolvedWit { resolve, package } = resolve(&files).map_err(Refused::from)?;
        let world = select_world(&resolve, package, Some(&world), "").map_err(Refused::from)?;
        let world = &resolve.worlds[world];
        let mut lines: Vec<String> =
            world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
        let asynchronous = async_functions(&resolve, world);
        lines.extend(asynchronous.into_iter().map(|name| format!("{}{name}", Self::ASYNC)));
        Ok(Done { digest: folder, text: lines.join("\n") })
    }
}

/// Returns the names of the `async` functions that a world imports and exports, such as `hello` and
/// `demo:app/api#hello`.
pub(crate) fn async_functions(resolve: &Resolve, world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for (key, item) in world.imports.iter().chain(&world.exports) {
        match item {
            WorldItem::Function(function) if function.kind.is_async() => {
                found.push(function.name.clone());
            }
            WorldItem::Interface { id, .. } => {
                let interface = resolve.name_world_key(key);
                let functions = resolve.interfaces[*id].functions.values();
                let functions = functions.filter(|function| function.kind.is_async());
                found.extend(functions.map(|function| format!("{interface}#{}", function.name)));
            }
            WorldItem::Function(_) | WorldItem::Type { .. } => {}
        }
    }
    found
}
