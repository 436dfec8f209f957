//! What of WIT is asked of a worker: to complete a folder, and to list a world's imports and `async` functions.

use std::error::Error;

use cache::{Digest, DiskStore, Entry, Tree};
use engine::{BuiltinError, Report};
use serde::{Deserialize, Serialize};
use wit_parser::{Resolve, World, WorldItem};

use super::size::check_size;
use super::{
    CompleteError, CompletedWit, InvalidWit, Request, ResolvedWit, WorldError, complete, files,
    resolve, select_world,
};
use crate::worker::{Done, ErrandError};

/// Completes the WIT of a component, picks its world, and puts the folder into the store. The
/// answer's text is the world.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CompleteErrand {
    pub(crate) request: Request,
    /// The component's name, by which one of several worlds is picked.
    pub(crate) component: String,
}

/// Lists the imports of a world as a module would name them, and the functions of the world that are `async`, with
/// [`ImportsErrand::ASYNC`] before them: each a line of the answer's text.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ImportsErrand {
    /// The completed folder in the store.
    pub(crate) folder: String,
    /// The folder of the project that it stands for.
    pub(crate) place: String,
    pub(crate) world: String,
}

/// The WIT of a component can't be used: told as text, as it comes from a worker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Refused {
    /// The error with its causes.
    pub message: String,
    /// Whether the message names the file that is wrong.
    pub has_place: bool,
    /// Whether it is the choice of the world that is wrong.
    pub is_about_world: bool,
    /// What the user can do about it.
    pub hint: Option<String>,
}

impl Refused {
    fn of(error: &dyn Error) -> Self {
        let message = Report::of(error).to_string();
        Self { message, has_place: false, is_about_world: false, hint: None }
    }
}

impl From<CompleteError> for Refused {
    fn from(error: CompleteError) -> Self {
        Self { hint: error.hint(), ..Self::of(&error) }
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

impl CompleteErrand {
    pub(crate) fn run(self, store: &DiskStore) -> Result<Done, ErrandError> {
        let completed = complete(&self.request).map_err(Refused::from)?;
        let world = self.world(&completed).map_err(|refused| self.with_place(refused))?;
        let mut tree = Tree::default();
        for file in &completed.files {
            let digest = store.put(file.text.as_bytes())?;
            tree.insert(&file.path, Entry::File { digest, executable: false })
                .map_err(|error| BuiltinError::failed(&error))?;
        }
        Ok(Done { digest: store.put_tree(&tree)?, text: world })
    }

    /// The same, with the WIT that it is about at the front, if no file is.
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

impl ImportsErrand {
    /// What stands before the name of an `async` function. No name has a space in it.
    pub(crate) const ASYNC: &str = "async ";

    pub(crate) fn run(self, store: &DiskStore) -> Result<Done, ErrandError> {
        let Self { folder, place, world } = self;
        let folder: Digest = folder.parse().map_err(|error| BuiltinError::failed(&error))?;
        let files = files(store, &folder, &place)?;
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

/// The `async` functions that a world imports and exports: `hello`, `demo:app/api#hello`.
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
