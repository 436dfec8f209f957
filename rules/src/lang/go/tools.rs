//! Calls Go's compiler and linker: with one action for each package of the user's own, and one action that
//! links.
//!
//! The compiler writes two files. The export data of a package (`-o`) describes what the package offers, and
//! is all that the packages which import it need. The code (`-linkobj`) is for the linker only. So after an
//! edit inside a function only one package is compiled. Packages that are not the user's own are compiled by
//! the go command (see `compile`).

use std::collections::BTreeMap;

use engine::{Action, ActionId, Input, Label, Source};

use super::arrange::Arrange;
use super::command::environment;
use super::compile::Go;
use super::error::GoError;
use super::packages::{Package, Packages};
use super::standard_library::STD;
use crate::lang::bindings::go::{BUILD_MODE, PLACE};
use crate::path::ProjectPath;
use crate::planner::source_tree::SourceTree;
use crate::planner::{PlanError, Planner, process};
use crate::platform::Platform;

/// The export data of a package among the outputs of its compilation.
const EXPORT: &str = "package.x";
/// Its code.
const OBJECT: &str = "package.o";
/// A profile of a program's run, in the folder of its main package.
const PROFILE: &str = "default.pgo";

/// The inputs of compiling and linking.
pub(super) struct Tools<'a> {
    pub(super) go: &'a Go<'a>,
    pub(super) packages: &'a Packages,
    /// The action [`Arrange`].
    pub(super) arranged: ActionId,
    /// The platform that the tools run on.
    pub(super) platform: Platform,
}

/// The packages that have their action already, and those whose imports are being added, each imported by the
/// one before.
#[derive(Default)]
struct Progress {
    compiled: BTreeMap<ProjectPath, ActionId>,
    waiting: Vec<ProjectPath>,
}

impl Tools<'_> {
    /// The linked core module.
    pub(super) const OUTPUT: &'static str = "core.wasm";

    /// Adds the actions and returns the last one, which leaves [`Self::OUTPUT`].
    pub(super) fn build(&self, planner: &mut Planner<'_>) -> Result<ActionId, PlanError> {
        let mut progress = Progress::default();
        self.compile(planner, &self.go.layout.folder, &mut progress)?;
        planner.add(self.link(&progress.compiled))
    }

    /// Adds the action that compiles the package in `folder`, after those that it imports.
    fn compile(
        &self,
        planner: &mut Planner<'_>,
        folder: &ProjectPath,
        progress: &mut Progress,
    ) -> Result<(), PlanError> {
        let Some(package) = self.packages.own.get(folder) else { return Ok(()) };
        if progress.compiled.contains_key(folder) {
            return Ok(());
        }
        if let Some(first) = progress.waiting.iter().position(|waiting| waiting == folder) {
            let cycle = progress.waiting[first..].iter().chain([folder]);
            let paths = cycle.map(|folder| self.packages.own[folder].path.clone());
            return Err(GoError::Cycle { paths: paths.collect() }.into());
        }
        progress.waiting.push(folder.clone());
        for import in &package.imports {
            self.compile(planner, import, progress)?;
        }
        progress.waiting.pop();
        let action = self.package(planner, folder, package, &progress.compiled)?;
        progress.compiled.insert(folder.clone(), planner.add(action)?);
        Ok(())
    }

    fn package(
        &self,
        planner: &mut Planner<'_>,
        folder: &ProjectPath,
        package: &Package,
        compiled: &BTreeMap<ProjectPath, ActionId>,
    ) -> Result<Action, PlanError> {
        let Self { go, packages, .. } = self;
        let is_main = *folder == go.layout.folder;
        let mut tree = SourceTree::default();
        package.add_to(&mut tree);
        let mut argv = self.tool("compile");
        let name = if is_main { "main" } else { &package.path };
        argv.extend(["-p", name, "-complete", "-nolocalimports", "-pack"].map(str::to_owned));
        argv.extend(["-o".to_owned(), format!("/out/{EXPORT}")]);
        argv.extend(["-linkobj".to_owned(), format!("/out/{OBJECT}")]);
        argv.extend(["-importcfg".to_owned(), format!("/go/{}", Arrange::IMPORTS)]);
        if go.request.release {
            argv.push("-dwarf=false".to_owned());
        }
        if package.embeds() {
            argv.extend(["-embedcfg", "/go/embedded.json"].map(str::to_owned));
        }
        let profile = go.layout.folder.join(PROFILE);
        if profile.on_disk(planner.project()).is_file() {
            argv.extend(["-pgoprofile".to_owned(), format!("/src/{profile}")]);
            tree.file(profile);
        }
        argv.push("@/go/arguments".to_owned());
        if is_main {
            go.request.add_inputs(&mut tree);
        }
        let sources = planner.store_tree(tree)?;

        let mut env = environment();
        env.extend(go.variables());
        let mut action =
            Action::process(self.label(&package.path, is_main), process(argv, env, "src"))
                .input(Input::root(go.image.clone()))
                .input(Input::new("src", Source::Tree(sources)))
                .input(Input::new(STD, go.std.clone()))
                .input(self.arranged(Arrange::PACKAGES, Arrange::PACKAGES))
                .input(self.arranged(&format!("go/{}", Arrange::IMPORTS), Arrange::IMPORTS))
                .input(self.arranged(&format!("go/{}", Arrange::EMPTY), Arrange::EMPTY))
                .input(self.arranged("go/arguments", &Arrange::arguments_of(&package.path)));
        if package.embeds() {
            let files = Arrange::embedded_in(&package.path);
            action = action.input(self.arranged("go/embedded.json", &files));
        }
        if go.layout.has_bindings(folder) {
            action = action.input(Input::new(PLACE, go.bindings.clone()));
        }
        for import in &package.imports {
            if let (Some(id), Some(imported)) = (compiled.get(import), packages.own.get(import)) {
                let export = Source::output(*id, EXPORT);
                action = action.input(Input::new(Arrange::export(&imported.path), export));
            }
        }
        Ok(action.output(EXPORT).output(OBJECT))
    }

    fn link(&self, compiled: &BTreeMap<ProjectPath, ActionId>) -> Action {
        let go = self.go;
        let mut argv = self.tool("link");
        argv.extend(["-o".to_owned(), format!("/out/{}", Self::OUTPUT)]);
        argv.extend(["-importcfg".to_owned(), format!("/go/{}", Arrange::LINKED)]);
        argv.push(format!("-buildmode={BUILD_MODE}"));
        if go.request.release {
            argv.extend(["-s", "-w"].map(str::to_owned));
        }
        // The run-time package links to functions inside Go's own run time.
        argv.extend(["-buildid=", "-checklinkname=0", "@/go/arguments"].map(str::to_owned));
        let mut env = environment();
        // Otherwise the program would contain this path.
        env.insert("GOROOT".to_owned(), String::new());
        env.extend(go.variables());
        let main = &self.packages.own[&go.layout.folder].path;
        argv.push(format!("/{}", Arrange::object(main)));
        let action = Action::process(Label::new(go.request.name, "link"), process(argv, env, ""))
            .input(Input::root(go.image.clone()))
            .input(Input::new(STD, go.std.clone()))
            .input(self.arranged(Arrange::PACKAGES, Arrange::PACKAGES))
            .input(self.arranged(&format!("go/{}", Arrange::LINKED), Arrange::LINKED))
            .input(self.arranged("go/arguments", Arrange::LINK));
        let objects = compiled.iter().map(|(folder, id)| {
            let object = Arrange::object(&self.packages.own[folder].path);
            Input::new(object, Source::output(*id, OBJECT))
        });
        objects.fold(action, Action::input).output(Self::OUTPUT)
    }

    /// Returns the label of a package's action. That of the main package is just `compile`, which is what
    /// people expect.
    fn label(&self, path: &str, is_main: bool) -> Label {
        let step = if is_main { "compile".to_owned() } else { format!("compile {path}") };
        Label::new(self.go.request.name, step)
    }

    fn arranged(&self, at: &str, output: &str) -> Input {
        Input::new(at, Source::output(self.arranged, output))
    }

    /// Returns the path of a tool as the start of a command line, because the image has no shell.
    fn tool(&self, name: &str) -> Vec<String> {
        // Debian's names of processors are Go's.
        let processor = self.platform.debian_architecture();
        vec![format!("/usr/lib/go/pkg/tool/linux_{processor}/{name}")]
    }
}
