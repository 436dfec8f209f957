//! The actions that run Cargo itself: those that list the units of a workspace.

use std::collections::BTreeMap;
use std::rc::Rc;

use engine::{Action, ActionId, Input, Label, Source, quote};

use super::c_compiler::CCompiler;
use super::fetch::VENDOR;
use super::git::{GIT, Places, Repositories};
use super::process::{TARGET, cargo_process};
use super::units::{ReadCalls, Recorder, Root, Units};
use crate::path::ProjectPath;
use crate::planner::{PlanError, Planner, in_action};

/// The target of a package that Cargo is asked to compile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Selection {
    /// The specification of the package, which Cargo can't confuse with another.
    pub(super) package: String,
    /// The binary's name, or `None` for the library.
    pub(super) binary: Option<String>,
    /// The name of the compiled file.
    pub(super) file: String,
    /// The package's features that are asked for.
    pub(super) features: Vec<String>,
    pub(super) default_features: bool,
}

/// Returns the owner of the actions that serve a whole workspace.
pub(super) fn owner(folder: &ProjectPath) -> String {
    if folder.is_root() { "cargo".to_owned() } else { format!("cargo {folder}") }
}

/// The settings and inputs of Cargo.
pub(super) struct Cargo<'a> {
    pub(super) root: &'a ProjectPath,
    pub(super) release: bool,
    pub(super) vendor: &'a Source,
    /// The repositories that packages come from.
    pub(super) repositories: Option<&'a Repositories>,
    pub(super) image: &'a Source,
    /// The compiler for C, if a package of the component needs one.
    pub(super) c_compiler: Option<&'a CCompiler>,
    /// The tree of sources that Cargo sees.
    pub(super) skeleton: cache::Digest,
}

impl Cargo<'_> {
    /// Returns the units of the selected targets, and the unit that makes the file of one of them.
    ///
    /// # Errors
    /// [`PlanError::Unknown`] while the units are not known.
    pub(super) fn units(
        &self,
        planner: &mut Planner<'_>,
        env: &BTreeMap<String, String>,
        selected: &BTreeMap<Selection, ProjectPath>,
        selection: &Selection,
    ) -> Result<(Rc<Units>, Option<usize>), PlanError> {
        let key = format!("units {} {env:?} {selected:?}", self.root);
        let list = planner.once(&key, |planner| self.list(planner, env, selected))?;
        let units = planner.known(&key, |planner| {
            let json = planner.content(list, ReadCalls::OUTPUT)?;
            let units = serde_json::from_slice::<Units>(&json);
            Ok::<_, PlanError>(units.expect("BUG: the list of units can't be read"))
        })?;
        let number = selected.keys().position(|other| other == selection);
        let root = units.root(number.expect("BUG: the component is not selected"));
        Ok((units, root))
    }

    /// Adds the actions that list the units.
    fn list(
        &self,
        planner: &mut Planner<'_>,
        env: &BTreeMap<String, String>,
        selected: &BTreeMap<Selection, ProjectPath>,
    ) -> Result<ActionId, PlanError> {
        let calls = selected.keys().map(|one| self.shell(&one.flags()));
        let script = Recorder::script(&calls.collect::<Vec<_>>());
        let mut own = env.clone();
        own.extend(Recorder::variables().into_iter().chain(Recorder::target()));
        if self.c_compiler.is_some() {
            // Nothing is called here; but Cargo passes the name of the linker on.
            own.extend(CCompiler::variables());
        }
        let name = owner(self.root);
        let label = Label::new(&*name, "list units");
        let action = Action::process(label, cargo_process(self.root, &script, own))
            .input(Input::root(self.image.clone()))
            .input(Input::new(VENDOR, self.vendor.clone()))
            .input(Input::new("src", Source::Tree(self.skeleton)))
            .input(Input::new(Recorder::PLACE, Source::Tree(Recorder::scripts(planner.store())?)))
            .output(Recorder::CALLS);
        let listing = self.repositories.map(|it| Input::new(GIT, it.listing()));
        let recorded = planner.add_piece(listing.into_iter().fold(action, Action::input))?;
        let roots = selected.iter().map(|(selection, dir)| selection.root(dir)).collect();
        let read = ReadCalls { own: env.clone(), roots };
        let action = Action::builtin(Label::new(name, "read units"), read)
            .input(Input::new(Recorder::CALLS, Source::output(recorded, Recorder::CALLS)))
            .output(ReadCalls::OUTPUT);
        let places = self.repositories.map(|it| Input::new(Places::INPUT, it.places()));
        planner.add_piece(places.into_iter().fold(action, Action::input))
    }

    /// Returns the variables of Cargo itself, which its children inherit.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        cargo_process(self.root, "", Recorder::target().into()).env
    }

    /// Returns a call of Cargo as shell text.
    fn shell(&self, flags: &[String]) -> String {
        let profile = if self.release { " --release" } else { "" };
        let flags: Vec<String> = flags.iter().map(|flag| quote(flag)).collect();
        let repositories = match self.repositories {
            Some(_) => format!(" --config /{GIT}/config.toml"),
            None => String::new(),
        };
        format!(
            "cargo build --quiet --config /{VENDOR}/config.toml{repositories} --locked --offline \
             --target {TARGET}{profile} {}",
            flags.join(" ")
        )
    }
}

impl Selection {
    /// Returns the selected target as it is found among units. Its package is in the folder `dir`.
    fn root(&self, dir: &ProjectPath) -> Root {
        Root {
            folder: format!("/{}", in_action(dir)),
            crate_name: self.file.trim_end_matches(".wasm").replace('-', "_"),
            is_program: self.binary.is_some(),
        }
    }

    fn flags(&self) -> Vec<String> {
        let target = match &self.binary {
            Some(name) => vec!["--bin".to_owned(), name.clone()],
            None => vec!["--lib".to_owned()],
        };
        let mut flags = vec!["-p".to_owned(), self.package.clone()];
        flags.extend(target);
        if !self.features.is_empty() {
            flags.extend(["--features".to_owned(), self.features.join(",")]);
        }
        if !self.default_features {
            flags.push("--no-default-features".to_owned());
        }
        flags
    }
}
