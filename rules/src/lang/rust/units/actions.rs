//! Makes the actions of units.
//!
//! A unit sees the sources of its package, the files that it is compiled with, and what build scripts made, all at the
//! paths at which Cargo would have them. Crates that others wrote have actions that all components share. The actions
//! of the project's own packages belong to the component, and have its limits.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use cache::Digest;
use engine::{Action, ActionId, Input, Label, Source};

use super::script_output::{Caller, ENVIRONMENT, HANDED_ON, METADATA, ReadOutput, SEARCH};
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
    /// True if the selected target is to be a core module and no component. The linker of the toolchain does not know the
    /// asynchronous functions of WASI 0.3, so the component is made of the module later.
    pub(in crate::lang::rust) gives_module: bool,
    /// The actions that were added, by unit.
    pub(in crate::lang::rust) added: BTreeMap<usize, Added>,
}

/// The sources of packages.
pub(in crate::lang::rust) trait PackageSources {
    /// Returns what a unit of a package sees of sources: those of the package, whose manifest lies in `folder`, an
    /// absolute path in the action, and those of `others`.
    fn of(
        &self,
        planner: &mut Planner<'_>,
        folder: &str,
        others: &BTreeSet<&str>,
    ) -> Result<Seen, PlanError>;
}

/// The sources that a unit sees.
#[derive(Debug, Clone)]
pub(in crate::lang::rust) struct Seen {
    pub(in crate::lang::rust) inputs: Vec<Input>,
    /// True if the unit's package is one of the component's own.
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

/// Runs a script, whose program is `$0`. The arguments are variables whose names the shell can't have. Cargo shows what
/// a script printed only if it failed.
const RUN: &str = "\
for metadata in /deps/scripts/*; do
    [ -e \"$metadata\" ] || continue
    while IFS= read -r variable; do
        set -- \"$variable\" \"$@\"
    done < \"$metadata\"
done
busybox env \"$@\" \"$0\" > /out/output 2> /tmp/errors || {
    code=$?
    busybox cat /out/output /tmp/errors >&2
    exit $code
}
cp -a \"$OUT_DIR\" /out/out";

/// Calls rustc, which is the first argument, with the variables that the script of the package has set.
const CALL_RUSTC: &str = "\
while IFS= read -r variable; do
    set -- \"$variable\" \"$@\"
done < /deps/script/environment
exec busybox env \"$@\"";

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
        let scripts: BTreeSet<usize> =
            compile.script.into_iter().chain(compile.other_searches()).collect();
        let sources = self.sources.of(planner, &unit.package.folder, &units.folders(&scripts))?;
        let mut inputs = vec![Input::root(self.image.clone())];
        inputs.extend(sources.inputs.iter().cloned());
        inputs.extend(scripts.iter().map(|index| self.out_dir(*index)));
        for index in units.files_for(compile) {
            let made = units.compile(index);
            let file = made.file_for(compile.needs_code);
            let at = format!("{}/{file}", below_root(&made.folder));
            inputs.push(Input::new(at, Source::output(self.added[&index].work, file)));
        }
        let mut args = vec!["rustc".to_owned()];
        args.extend(compile.args.iter().cloned());
        args.extend(["--out-dir", "/out", "--color", "always"].map(str::to_owned));
        if self.gives_module && step == Step::Root {
            args.extend(["-C", "link-arg=--skip-wit-component"].map(str::to_owned));
        }
        if let Some(index) = compile.script {
            let read = self.added[&index].read.expect("a run has a reader");
            let output = Caller::of(compile).output();
            inputs
                .push(Input::new(format!("{OWN_SCRIPT}/arguments"), Source::output(read, output)));
            let variables = Source::output(read, ENVIRONMENT);
            inputs.push(Input::new(format!("{OWN_SCRIPT}/environment"), variables));
            args.push(format!("@/{OWN_SCRIPT}/arguments"));
        }
        for (number, index) in compile.other_searches().enumerate() {
            let read = self.added[&index].read.expect("a run has a reader");
            let mut outputs = vec![SEARCH];
            outputs.extend((compile.kind == CrateKind::Cdylib).then_some(HANDED_ON));
            for output in outputs {
                let at = format!("{SEARCHES}/{number}/{output}");
                args.push(format!("@/{at}"));
                inputs.push(Input::new(at, Source::output(read, output)));
            }
        }
        let argv = match compile.script {
            Some(_) => {
                let shell = ["/bin/sh", "-c", CALL_RUSTC, "sh"].map(str::to_owned);
                shell.into_iter().chain(args).collect()
            }
            None => args,
        };
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
        let others = units.metadata_for(run);
        let sources = self.sources.of(planner, &unit.package.folder, &units.folders(&others))?;
        let compiled = units.compile(run.compiled);
        let program = Source::output(self.added[&run.compiled].work, &*compiled.files[0]);
        let mut inputs = sources.inputs.clone();
        inputs.extend([
            Input::root(self.image.clone()),
            Input::new(below_root(&run.program), program),
            Input::scratch(below_root(&run.out_dir), Source::Tree(self.empty)),
        ]);
        inputs.extend(others.iter().map(|index| self.out_dir(*index)));
        for (number, (_, other)) in run.metadata.iter().enumerate() {
            let read = self.added[other].read.expect("a run has a reader");
            let metadata = Source::output(read, METADATA);
            inputs.push(Input::new(format!("{OTHER_SCRIPTS}/{number}"), metadata));
        }
        let odd = unit.env.iter().filter(|(name, _)| !is_shell_name(name));
        let odd = odd.map(|(name, value)| format!("{name}={value}"));
        let argv = ["/bin/sh", "-c", RUN, &run.program].map(str::to_owned).into_iter().chain(odd);
        let argv = argv.collect();
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
            .output(METADATA)
            .output(HANDED_ON);
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
#[derive(Clone, Copy, PartialEq, Eq)]
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
    /// Returns the runs of scripts of other packages whose libraries are looked for. A library without a script of its
    /// own names none that have to be there when it is compiled.
    fn other_searches(&self) -> impl Iterator<Item = usize> {
        let is_used = self.kind.links() || self.script.is_some();
        let all = self.searches.iter().copied().filter(move |_| is_used);
        all.filter(|index| Some(*index) != self.script)
    }

    /// Returns the file that another crate is compiled with: everything if it needs the code, else only the
    /// description of the library.
    fn file_for(&self, needs_code: bool) -> &str {
        let with = |end: &str| self.files.iter().find(|file| file.ends_with(end));
        let description = if needs_code { None } else { with(".rmeta") };
        let found = description.or_else(|| with(".rlib")).or_else(|| with(".so"));
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
                    open.extend(compile.other_searches());
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

    /// Returns the folders of the packages of some units. What a script prints may lead to files of its package.
    fn folders(&self, units: &BTreeSet<usize>) -> BTreeSet<&str> {
        units.iter().map(|index| self.units[*index].package.folder.as_str()).collect()
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

    /// Returns the runs whose metadata a script sees, and those whose metadata these see, because a script may
    /// hand on what it gets.
    fn metadata_for(&self, run: &RunScript) -> BTreeSet<usize> {
        let direct = |run: &RunScript| run.metadata.iter().map(|(_, other)| *other).collect();
        let (mut found, mut open): (BTreeSet<usize>, Vec<usize>) = (BTreeSet::new(), direct(run));
        while let Some(index) = open.pop() {
            if let UnitWork::Run(other) = &self.units[index].work
                && found.insert(index)
            {
                open.extend(direct(other));
            }
        }
        found
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

/// Returns whether a shell can have a variable of this name.
fn is_shell_name(name: &str) -> bool {
    name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}
