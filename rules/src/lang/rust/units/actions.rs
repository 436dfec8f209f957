//! Makes the actions of units.
//!
//! A unit sees the sources of its package, the files that it is compiled with, and what build scripts made, all at the
//! paths at which Cargo would have them. Crates that others wrote have actions that all components share. The actions
//! of the project's own packages belong to the component, and have its limits.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use cache::Digest;
use engine::{Action, ActionId, Input, Label, Source};

use super::script_output::{Caller, ENVIRONMENT, METADATA, ReadOutput, SEARCH};
use super::unit::{Compile, CrateKind, RunScript, Unit, UnitPackage, UnitWork, Units};
use crate::lang::rust::c_code::CC;
use crate::lang::rust::c_compiler::CCompiler;
use crate::planner::{PlanError, Planner, process};

/// Adds the actions of the units that one component needs.
pub(in crate::lang::rust) struct UnitActions<'a> {
    /// The name of the component.
    pub(in crate::lang::rust) component: &'a str,
    pub(in crate::lang::rust) units: Rc<Units>,
    /// The variables that all units have.
    pub(in crate::lang::rust) environment: BTreeMap<String, String>,
    pub(in crate::lang::rust) image: Source,
    /// The compiler for C, if a package of the component needs one.
    pub(in crate::lang::rust) c_compiler: Option<&'a CCompiler>,
    /// The empty tree.
    pub(in crate::lang::rust) empty: Digest,
    pub(in crate::lang::rust) sources: &'a dyn PackageSources,
    /// The actions that were added, by unit.
    pub(in crate::lang::rust) added: BTreeMap<usize, Added>,
}

/// The sources of packages.
pub(in crate::lang::rust) trait PackageSources {
    /// Returns what the units of a package see of its sources. Its manifest lies in `folder`, an absolute path in the
    /// action.
    fn of(&self, planner: &mut Planner<'_>, folder: &str) -> Result<Seen, PlanError>;
}

/// What the units of a package see of its sources.
#[derive(Debug, Clone)]
pub(in crate::lang::rust) struct Seen {
    pub(in crate::lang::rust) input: Input,
    /// True if the package is one of the component's own.
    pub(in crate::lang::rust) is_own: bool,
}

/// The actions of a unit.
#[derive(Debug, Clone, Copy)]
pub(in crate::lang::rust) struct Added {
    /// The action that compiles the crate or runs the script.
    work: ActionId,
    /// The action that reads what the script printed.
    read: Option<ActionId>,
}

/// The output of a run with the folder OUT_DIR.
const OUT: &str = "out";
/// The output of a run with what was printed.
const OUTPUT: &str = "output";
/// The folder in which rustc sees what was made of the output of the package's script.
const OWN_SCRIPT: &str = "deps/script";
/// The folder in which rustc sees where the libraries of all scripts are.
const SEARCHES: &str = "deps/searches";
/// The folder in which a script sees the metadata of other scripts.
const OTHER_SCRIPTS: &str = "deps/scripts";

/// Runs a script, whose program is `$0`. Cargo shows what a script printed only if it failed.
const RUN: &str = "\
for metadata in /deps/scripts/*; do
    [ ! -e \"$metadata\" ] || . \"$metadata\"
done
\"$0\" > /out/output 2> /tmp/errors || {
    code=$?
    busybox cat /out/output /tmp/errors >&2
    exit $code
}
cp -a \"$OUT_DIR\" /out/out";

impl UnitActions<'_> {
    /// Adds the actions of a selected target and of everything that it needs. Returns the last one, with its output.
    pub(in crate::lang::rust) fn root(
        mut self,
        planner: &mut Planner<'_>,
        root: usize,
    ) -> Result<(ActionId, String), PlanError> {
        let units = Rc::clone(&self.units);
        // Each unit comes after those that it needs.
        for index in units.needed_by(root) {
            let added = match &units.units[index].work {
                UnitWork::Compile(compile) => {
                    let step = if index == root { Step::Root } else { Step::of(compile) };
                    self.compile(planner, &units.units[index], compile, step)?
                }
                UnitWork::Run(run) => self.run(planner, index, run)?,
            };
            self.added.insert(index, added);
        }
        let UnitWork::Compile(compile) = &units.units[root].work else {
            panic!("BUG: a build script is no target");
        };
        let is_wasm = |file: &&String| file.ends_with(".wasm");
        let file = compile.files.iter().find(is_wasm).expect("BUG: it makes no component");
        Ok((self.added[&root].work, file.clone()))
    }

    fn compile(
        &mut self,
        planner: &mut Planner<'_>,
        unit: &Unit,
        compile: &Compile,
        step: Step,
    ) -> Result<Added, PlanError> {
        let units = Rc::clone(&self.units);
        let sources = self.sources.of(planner, &unit.package.folder)?;
        let mut inputs = vec![Input::root(self.image.clone()), sources.input.clone()];
        for index in units.files_for(compile) {
            let made = units.compile(index);
            let file = made.file_for(compile.kind);
            let at = format!("{}/{file}", below_root(&made.folder));
            inputs.push(Input::new(at, Source::output(self.added[&index].work, file)));
        }
        let mut args = compile.args.clone();
        args.extend(["--out-dir", "/out", "--color", "always"].map(str::to_owned));
        let mut out_dirs = BTreeSet::new();
        if let Some(index) = compile.script {
            let read = self.added[&index].read.expect("a run has a reader");
            let output = Caller::of(compile).output();
            inputs
                .push(Input::new(format!("{OWN_SCRIPT}/arguments"), Source::output(read, output)));
            let variables = Source::output(read, ENVIRONMENT);
            inputs.push(Input::new(format!("{OWN_SCRIPT}/environment"), variables));
            args.push(format!("@/{OWN_SCRIPT}/arguments"));
            out_dirs.insert(index);
        }
        if compile.kind.links() {
            let others = compile.searches.iter().filter(|index| Some(**index) != compile.script);
            for (number, index) in others.enumerate() {
                let read = self.added[index].read.expect("a run has a reader");
                let at = format!("{SEARCHES}/{number}");
                args.push(format!("@/{at}"));
                inputs.push(Input::new(at, Source::output(read, SEARCH)));
                out_dirs.insert(*index);
            }
        }
        inputs.extend(out_dirs.into_iter().map(|index| self.out_dir(index)));
        let argv = match compile.script {
            Some(_) => {
                let text = format!(". /{OWN_SCRIPT}/environment && exec \"$0\" \"$@\"");
                ["/bin/sh", "-c", &text, "rustc"].map(str::to_owned).into_iter().chain(args)
            }
            None => ["rustc", "", "", ""].map(str::to_owned).into_iter().chain(args),
        };
        let argv = argv.filter(|word| !word.is_empty()).collect();
        let action = self.action(unit, argv, step.text(), &sources);
        let mut action = inputs.into_iter().fold(action, Action::input);
        if compile.kind.links()
            && !compile.is_for_host
            && let Some(compiler) = self.c_compiler
        {
            action = compiler.add_to(action);
        }
        let action = compile.files.iter().fold(action, Action::output);
        let work = self.add(planner, action, &sources)?;
        Ok(Added { work, read: None })
    }

    fn run(
        &mut self,
        planner: &mut Planner<'_>,
        index: usize,
        run: &RunScript,
    ) -> Result<Added, PlanError> {
        let units = Rc::clone(&self.units);
        let unit = &units.units[index];
        let sources = self.sources.of(planner, &unit.package.folder)?;
        let compiled = units.compile(run.compiled);
        let program = Source::output(self.added[&run.compiled].work, &*compiled.files[0]);
        let mut inputs = vec![
            Input::root(self.image.clone()),
            sources.input.clone(),
            Input::new(below_root(&run.program), program),
            Input::scratch(below_root(&run.out_dir), Source::Tree(self.empty)),
        ];
        for (number, (_, other)) in run.metadata.iter().enumerate() {
            let read = self.added[other].read.expect("a run has a reader");
            let metadata = Source::output(read, METADATA);
            inputs.push(Input::new(format!("{OTHER_SCRIPTS}/{number}"), metadata));
            inputs.push(self.out_dir(*other));
        }
        let argv = ["/bin/sh", "-c", RUN, &run.program].map(str::to_owned).to_vec();
        let action = self.action(unit, argv, "run build script", &sources);
        let mut action = inputs.into_iter().fold(action, Action::input);
        if let Some(compiler) = self.c_compiler.filter(|_| units.uses_cc(run.compiled)) {
            if let engine::Work::Process(process) = &mut action.work {
                process.env.extend(CCompiler::variables());
            }
            action = compiler.add_to(action);
        }
        let work = self.add(planner, action.output(OUT).output(OUTPUT), &sources)?;
        let UnitPackage { name, version, .. } = &unit.package;
        let read = ReadOutput {
            package: format!("{name}@{version}"),
            shows_warnings: sources.is_own,
            metadata: units.metadata_of(index),
            callers: units.callers(index),
        };
        let outputs: Vec<String> = read.callers.iter().map(Caller::output).collect();
        let label = self.label(&unit.package, "read output of build script", &sources);
        let action = Action::builtin(label, read)
            .input(Input::new(OUTPUT, Source::output(work, OUTPUT)))
            .output(ENVIRONMENT)
            .output(SEARCH)
            .output(METADATA);
        let action = outputs.into_iter().fold(action, Action::output);
        Ok(Added { work, read: Some(self.add(planner, action, &sources)?) })
    }

    /// Returns the folder that a script filled, as an input of others.
    fn out_dir(&self, index: usize) -> Input {
        let UnitWork::Run(run) = &self.units.units[index].work else {
            panic!("BUG: only a script has an OUT_DIR");
        };
        Input::new(below_root(&run.out_dir), Source::output(self.added[&index].work, OUT))
    }

    fn action(&self, unit: &Unit, argv: Vec<String>, step: &str, sources: &Seen) -> Action {
        let mut env = self.environment.clone();
        env.extend(unit.env.clone());
        let label = self.label(&unit.package, step, sources);
        Action::process(label, process(argv, env, below_root(&unit.cwd)))
    }

    /// Names an action: by the component, if it belongs to it, or by the package.
    fn label(&self, package: &UnitPackage, step: &str, sources: &Seen) -> Label {
        let UnitPackage { name, version, .. } = package;
        match sources.is_own {
            true if step == Step::Root.text() => Label::new(self.component, step),
            true => Label::new(self.component, format!("{step} of {name}")),
            false => Label::new(format!("{name} {version}"), step),
        }
    }

    fn add(
        &self,
        planner: &mut Planner<'_>,
        action: Action,
        sources: &Seen,
    ) -> Result<ActionId, PlanError> {
        if sources.is_own { planner.add_piece(action) } else { planner.add_shared_piece(action) }
    }
}

/// The step of a package's work that a compilation is, as messages name it.
#[derive(Clone, Copy)]
enum Step {
    Root,
    Library,
    HostLibrary,
    BuildScript,
}

impl Step {
    const fn of(compile: &Compile) -> Self {
        match (compile.kind, compile.is_for_host) {
            (CrateKind::Binary, true) => Self::BuildScript,
            (CrateKind::Library, true) => Self::HostLibrary,
            _ => Self::Library,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Root => "compile",
            Self::Library => "compile library",
            Self::HostLibrary => "compile library for the host",
            Self::BuildScript => "compile build script",
        }
    }
}

impl Caller {
    fn of(compile: &Compile) -> Self {
        Self { kind: compile.kind, crate_name: compile.crate_name.clone() }
    }
}

impl Compile {
    /// Returns the file that another crate of this kind is compiled with: everything if it is linked, else only the
    /// description of the library.
    fn file_for(&self, kind: CrateKind) -> &str {
        let with = |end: &str| self.files.iter().find(|file| file.ends_with(end));
        let description = if kind.links() { None } else { with(".rmeta") };
        let found = description.or_else(|| with(".so")).or_else(|| with(".rlib"));
        found.expect("BUG: a crate is used that is no library")
    }
}

impl Units {
    fn compile(&self, index: usize) -> &Compile {
        match &self.units[index].work {
            UnitWork::Compile(compile) => compile,
            UnitWork::Run(_) => panic!("BUG: a run is used as a crate"),
        }
    }

    /// Returns the unit that makes the file of a selected target, in the order of the selection.
    pub(in crate::lang::rust) fn root(&self, number: usize) -> Option<usize> {
        self.roots.get(number).copied().flatten()
    }

    /// Returns a unit and all that it needs, in the order of the list.
    fn needed_by(&self, root: usize) -> BTreeSet<usize> {
        let (mut found, mut open) = (BTreeSet::new(), vec![root]);
        while let Some(index) = open.pop() {
            if !found.insert(index) {
                continue;
            }
            match &self.units[index].work {
                UnitWork::Compile(compile) => {
                    open.extend(compile.needs.iter().chain(&compile.script));
                    open.extend(compile.searches.iter().filter(|_| compile.kind.links()));
                }
                UnitWork::Run(run) => {
                    open.extend(run.metadata.iter().map(|(_, other)| *other));
                    open.push(run.compiled);
                }
            }
        }
        found
    }

    /// Returns the crates whose files rustc opens: the ones that are used directly, and those that they use. A
    /// procedural macro is complete in itself.
    fn files_for(&self, compile: &Compile) -> BTreeSet<usize> {
        let (mut found, mut open) = (BTreeSet::new(), compile.needs.clone());
        while let Some(index) = open.pop() {
            let other = self.compile(index);
            if found.insert(index) && other.kind != CrateKind::ProcMacro {
                open.extend(&other.needs);
            }
        }
        found
    }

    /// Returns the crates of a package that are compiled with the output of its script.
    fn callers(&self, script: usize) -> Vec<Caller> {
        let callers = self.units.iter().filter_map(|unit| match &unit.work {
            UnitWork::Compile(compile) if compile.script == Some(script) => {
                Some(Caller::of(compile))
            }
            _ => None,
        });
        callers.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns the beginning of the names of the variables by which other scripts see the metadata of one.
    fn metadata_of(&self, script: usize) -> String {
        let starts = self.units.iter().filter_map(|unit| match &unit.work {
            UnitWork::Run(run) => run.metadata.iter().find(|(_, other)| *other == script),
            UnitWork::Compile(_) => None,
        });
        starts.map(|(start, _)| start.clone()).next().unwrap_or_default()
    }

    /// Returns whether a build script may compile C.
    fn uses_cc(&self, program: usize) -> bool {
        let is_cc = |index: &usize| self.compile(*index).crate_name == CC;
        self.files_for(self.compile(program)).iter().any(is_cc)
    }
}

/// Returns an absolute path as actions name it.
fn below_root(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}
