//! The action that fetches the repositories of Cargo.lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use cache::Digest;
use engine::{
    Action, ActionId, Artifact, Builtin, BuiltinContext, BuiltinError, Input, Label, Source,
};

use super::checkout::{CheckoutError, Checkouts};
use super::listing::{GIT, Listing, ListingError};
use super::locked::LockedRepository;
use super::packages::{self, NotFound};
use super::places::Places;
use crate::package::Registries;
use crate::path::ProjectPath;
use crate::planner::{PlanError, Planner};
use crate::redact::mask_urls;

/// The action that fetches repositories. It has no inputs. Its outputs are [`Self::LISTING`], [`Self::PLACES`] and the
/// files of each commit.
pub(in crate::lang::rust) struct FetchRepositories {
    repositories: Vec<LockedRepository>,
    /// The lockfile, for messages.
    lock: ProjectPath,
    registries: Arc<Registries>,
}

/// An error for which a repository could not be had.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{place}: cannot get crate `{name}` from commit {commit} of {url}")]
    Checkout { place: String, name: String, commit: String, url: String, source: CheckoutError },
    #[error("{place}: cannot use what commit {commit} of {url} has")]
    Package { place: String, commit: String, url: String, source: NotFound },
    #[error("cannot lay out the repositories of {lock}")]
    Listing { lock: ProjectPath, source: ListingError },
}

/// The repositories that an action fetches.
#[derive(Debug)]
pub(in crate::lang::rust) struct Repositories {
    action: ActionId,
}

impl Repositories {
    /// Returns what Cargo sees of them.
    pub(in crate::lang::rust) fn listing(&self) -> Source {
        Source::output(self.action, FetchRepositories::LISTING)
    }

    /// Returns the file that leads from Cargo's places of packages to the real ones.
    pub(in crate::lang::rust) fn places(&self) -> Source {
        Source::output(self.action, FetchRepositories::PLACES)
    }

    /// Returns the commit that an absolute path in an action lies in.
    pub(in crate::lang::rust) fn commit(&self, path: &str) -> Option<Input> {
        let below = path.strip_prefix('/')?.strip_prefix(GIT)?.strip_prefix('/')?;
        let commit = below.split('/').next()?;
        let output = FetchRepositories::output_of(commit);
        Some(Input::new(format!("{GIT}/{commit}"), Source::output(self.action, output)))
    }
}

impl FetchRepositories {
    /// The output that Cargo sees.
    const LISTING: &str = "listing";
    /// The output with the [`Places`].
    const PLACES: &str = "places.json";

    fn output_of(commit: &str) -> String {
        format!("commit/{commit}")
    }

    /// Adds the action that fetches the repositories of a lockfile, if there are any. `owner` names it in messages.
    pub(in crate::lang::rust) fn add(
        planner: &mut Planner<'_>,
        owner: String,
        lock: ProjectPath,
        repositories: &[LockedRepository],
    ) -> Result<Option<Repositories>, PlanError> {
        if repositories.is_empty() {
            return Ok(None);
        }
        let action = planner.once(&format!("repositories of {lock}"), |planner| {
            let (repositories, registries) = (repositories.to_vec(), planner.registries());
            let mut outputs: Vec<String> =
                repositories.iter().map(|locked| Self::output_of(&locked.commit)).collect();
            outputs.sort();
            outputs.dedup();
            let fetch = Self { repositories, lock, registries };
            let action = Action::builtin(Label::new(owner, "fetch repositories"), fetch)
                .output(Self::LISTING)
                .output(Self::PLACES);
            planner.add(outputs.into_iter().fold(action, Action::output))
        })?;
        Ok(Some(Repositories { action }))
    }

    /// Returns the trees of all commits.
    fn trees(&self, cx: &BuiltinContext) -> Result<BTreeMap<String, Digest>, BuiltinError> {
        let checkouts = Checkouts { cx, registries: &self.registries };
        let mut trees = BTreeMap::new();
        for locked in &self.repositories {
            let tree = checkouts.tree(locked).map_err(|error| {
                let may_pass = error.is_of_the_network();
                error.ends(|source| {
                    let error = self.refused(locked, source);
                    match may_pass {
                        true => BuiltinError::infrastructure(&error),
                        false => BuiltinError::failed(&error),
                    }
                })
            })?;
            trees.insert(locked.commit.clone(), tree);
        }
        Ok(trees)
    }

    fn refused(&self, locked: &LockedRepository, source: CheckoutError) -> FetchError {
        let name = locked.packages.first().map(|(name, _)| name.clone()).unwrap_or_default();
        let (place, commit, url) = self.place(locked);
        FetchError::Checkout { place, name, commit, url, source }
    }

    /// Returns the line of the lockfile, the commit, and the URL without a login, for a message.
    fn place(&self, locked: &LockedRepository) -> (String, String, String) {
        let place = format!("{}:{}", self.lock, locked.line);
        (place, locked.commit.clone(), mask_urls(&locked.url).into_owned())
    }

    fn lay_out(
        &self,
        cx: &BuiltinContext,
        trees: &BTreeMap<String, Digest>,
    ) -> Result<(Digest, Places), BuiltinError> {
        let store = cx.store();
        let failed = |source| {
            let source = match source {
                ListingError::Lost(digest) => return BuiltinError::Missing(digest),
                ListingError::Store(error) => return error.into(),
                other => other,
            };
            BuiltinError::failed(&FetchError::Listing { lock: self.lock.clone(), source })
        };
        let mut listing = Listing::new(store);
        for (number, locked) in self.repositories.iter().enumerate() {
            let digest = trees[&locked.commit];
            let files = store.tree(&digest)?.ok_or(BuiltinError::Missing(digest))?;
            let folder = store.materialise(&digest)?;
            let found = packages::find(&files, &folder, &locked.packages).map_err(|source| {
                let (place, commit, url) = self.place(locked);
                BuiltinError::failed(&FetchError::Package { place, commit, url, source })
            })?;
            listing.add(number, &locked.commit, files, found).map_err(failed)?;
        }
        listing.finish(&self.repositories).map_err(failed)
    }
}

impl Builtin for FetchRepositories {
    fn name(&self) -> &str {
        "cargo-git-fetch"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        let words = |locked: &LockedRepository| {
            // Keys are stored as plain text, and an address may hold a token. So it is masked.
            let url = mask_urls(&locked.url);
            format!("{url} {} {} {:?}", locked.reference.toml(), locked.commit, locked.packages)
        };
        self.repositories.iter().map(words).collect()
    }

    fn needs_network(&self) -> bool {
        // An offline build runs it all the same, because the commits may all be in the store.
        !self.registries.network.offline
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let trees = self.trees(cx)?;
        for (commit, tree) in &trees {
            cx.produce(&Self::output_of(commit), Artifact::Tree(*tree));
        }
        let (listing, places) = self.lay_out(cx, &trees)?;
        cx.produce(Self::LISTING, Artifact::Tree(listing));
        let places =
            serde_json::to_vec(&places).map_err(|error| BuiltinError::infrastructure(&error))?;
        let digest = cx.store().put(&places)?;
        cx.produce(Self::PLACES, Artifact::File { digest, executable: false });
        Ok(())
    }
}
