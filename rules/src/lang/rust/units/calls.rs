//! Makes the list of units of the recorded calls.
//!
//! Settings that are the same for all units, or differ from machine to machine, are left out: the form of messages, the
//! place of outputs, the number of processors, the pipes by which Cargo and its children share them.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Builtin, BuiltinContext, BuiltinError, Report};

use super::recorder::{DEPENDENCY_MARK, MARK, RUSTC, Recorder, SCRIPT, is_own_variable};
use super::unit::{Compile, CrateKind, RunScript, Unit, UnitPackage, UnitWork, Units};
use crate::lang::rust::fetch::VENDOR;
use crate::lang::rust::git::{GIT, Places};

/// The builtin that makes the list. Its input is `calls`, and its output `units.json`. If packages come from
/// repositories, its input [`Places::INPUT`] says where these lie.
pub(in crate::lang::rust) struct ReadCalls {
    /// The variables that run.toml sets for the component. Crates that others wrote are compiled without them, unless
    /// rustc obeys them, so that components with other variables share the results. Build scripts see them.
    pub(in crate::lang::rust) own: BTreeMap<String, String>,
    /// The selected targets, in the order of the folders in `calls`.
    pub(in crate::lang::rust) roots: Vec<Root>,
}

impl ReadCalls {
    /// The output with the list.
    pub(in crate::lang::rust) const OUTPUT: &str = "units.json";
}

/// A selected target.
#[derive(Debug, Clone)]
pub(in crate::lang::rust) struct Root {
    /// The folder of its package, an absolute path in the action.
    pub(in crate::lang::rust) folder: String,
    /// The name of its crate.
    pub(in crate::lang::rust) crate_name: String,
    /// True if it is a program, and false if it is a library.
    pub(in crate::lang::rust) is_program: bool,
}

/// The variable with the number of jobs, which build scripts may pass on to what they run.
const JOBS: (&str, &str) = ("NUM_JOBS", "4");

/// The variables that say how Cargo talks to its children on this machine, or where rustc finds its own libraries.
const OF_THE_RUN: [&str; 5] =
    ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS", "LD_LIBRARY_PATH", "RUST_RECURSION_COUNT"];

/// Returns whether rustc itself obeys a variable, so that all crates have to be compiled with it.
fn is_obeyed(name: &str) -> bool {
    ["RUST", "CARGO"].iter().any(|start| name.starts_with(start))
}

/// A recorded call.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Rustc { cwd: String, args: Vec<String>, env: BTreeMap<String, String> },
    Script { program: String, cwd: String, env: BTreeMap<String, String> },
}

/// The error for a recorded call that can't be understood.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("a call that Cargo made can't be read: {0}")]
    Malformed(&'static str),
    #[error("Cargo compiles `{unit}` with `{path}`, which nothing makes")]
    UnknownFile { unit: String, path: String },
}

impl Builtin for ReadCalls {
    fn name(&self) -> &str {
        "cargo-units"
    }

    fn version(&self) -> &str {
        "3"
    }

    fn arguments(&self) -> Vec<String> {
        let own = self.own.iter().map(|(name, value)| format!("{name}={value}"));
        own.chain(self.roots.iter().map(|root| format!("{root:?}"))).collect()
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let folder = cx.path(Recorder::CALLS)?;
        let read = |name: &str| {
            let text = std::fs::read_to_string(folder.join(name));
            text.map_err(|error| BuiltinError::infrastructure(&error))
        };
        let calls = (0..self.roots.len()).map(|number| read(&number.to_string()));
        let calls: Vec<String> = calls.collect::<Result<_, _>>()?;
        let places = match cx.inputs().any(|(name, _)| name == Places::INPUT) {
            true => serde_json::from_slice(&cx.read(Places::INPUT)?),
            false => Ok(Places::default()),
        };
        let places = places.map_err(|error| BuiltinError::infrastructure(&error))?;
        let units = self.units(&read(Recorder::ENVIRONMENT)?, &calls, places);
        let units = units.map_err(|error| BuiltinError::failed(&error))?;
        let json = serde_json::to_vec(&units)
            .map_err(|error| BuiltinError::Failed(Report::text(error.to_string())))?;
        std::fs::write(cx.out()?.join(Self::OUTPUT), json)
            .map_err(|error| BuiltinError::infrastructure(&error))
    }
}

/// Reads recorded calls. Their order is that of their contents, because Cargo's own order differs from run to run.
fn read(text: &str) -> Result<BTreeSet<Call>, CallError> {
    let mut words = text.split_terminator('\0');
    let mut calls = BTreeSet::new();
    while let Some(kind) = words.next() {
        let mut next = || words.next().ok_or(CallError::Malformed("too short"));
        let (first, second) = (next()?.to_owned(), next()?);
        calls.insert(match kind {
            RUSTC => {
                let count = second.parse().map_err(|_| CallError::Malformed("no number"))?;
                let args = (0..count).map(|_: usize| Ok(next()?.to_owned()));
                let args = args.collect::<Result<_, CallError>>()?;
                Call::Rustc { cwd: first, args, env: exported(next()?) }
            }
            SCRIPT => {
                let cwd = second.to_owned();
                Call::Script { program: first, cwd, env: exported(next()?) }
            }
            _ => return Err(CallError::Malformed("unknown kind")),
        });
    }
    Ok(calls)
}

/// Reads what the shell's `export -p` prints: lines `export NAME='VALUE'`, where a quote in the value is written as
/// `'"'"'` (the POSIX shell language, `export`).
fn exported(text: &str) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once(['=', '\n']) {
        let (value, end) = if rest[name.len()..].starts_with('=') {
            unquoted(after)
        } else {
            rest = after;
            continue;
        };
        let name = name.strip_prefix("export ").unwrap_or(name);
        variables.insert(name.to_owned(), value);
        rest = after.get(end..).unwrap_or_default();
    }
    variables
}

/// Reads a word of shell text that ends with its line. Returns it, and where the next line begins.
fn unquoted(text: &str) -> (String, usize) {
    let (mut value, mut quote) = (String::new(), None);
    for (at, char) in text.char_indices() {
        match quote {
            None if char == '\n' => return (value, at + 1),
            None if matches!(char, '\'' | '"') => quote = Some(char),
            Some(open) if open == char => quote = None,
            _ => value.push(char),
        }
    }
    (value, text.len())
}

/// A unit whose needs are still paths.
struct Draft {
    unit: Unit,
    /// The paths of the files that it uses.
    needs: Vec<String>,
    /// The OUT_DIR of its package's own script.
    script: Option<String>,
    /// The OUT_DIRs of the scripts whose libraries may be linked, and of those whose metadata a script sees,
    /// with the beginning of the variables' names.
    out_dirs: Vec<(String, String)>,
}

impl ReadCalls {
    /// Makes the list of the calls for each target. `inherited` are the variables of Cargo itself.
    fn units(&self, inherited: &str, calls: &[String], places: Places) -> Result<Units, CallError> {
        let drafter = Drafter { inherited: exported(inherited), own: &self.own, places };
        let mut linker = UnitLinker::default();
        for (root, calls) in self.roots.iter().zip(calls) {
            let drafts = read(calls)?.into_iter().map(|call| drafter.draft(call));
            linker.add(drafts.collect::<Result<_, _>>()?, root)?;
        }
        Ok(linker.units)
    }
}

/// Makes units of calls.
struct Drafter<'a> {
    /// The variables of Cargo itself, which its children inherit.
    inherited: BTreeMap<String, String>,
    own: &'a BTreeMap<String, String>,
    places: Places,
}

impl Drafter<'_> {
    fn draft(&self, call: Call) -> Result<Draft, CallError> {
        let real = |word| self.places.real(word);
        match call {
            Call::Rustc { cwd, args, env } => {
                self.compile(real(cwd), args.into_iter().map(real).collect(), env)
            }
            Call::Script { program, cwd, env } => self.script(program, real(cwd), env),
        }
    }

    fn compile(
        &self,
        cwd: String,
        args: Vec<String>,
        env: BTreeMap<String, String>,
    ) -> Result<Draft, CallError> {
        let (package, mut env) = self.environment(env)?;
        let is_in = |place: &str| package.folder.starts_with(&format!("/{place}/"));
        let is_of_others = is_in(VENDOR) || is_in(GIT);
        self.add_own(&mut env, |name| !is_of_others || is_obeyed(name));
        let read = Arguments::read(args)?;
        let out_dirs = read.out_dirs.into_iter().map(|path| (String::new(), path)).collect();
        let script = env.get("OUT_DIR").cloned();
        let work = UnitWork::Compile(read.compile);
        Ok(Draft { unit: Unit { package, work, env, cwd }, needs: read.files, script, out_dirs })
    }

    fn script(
        &self,
        program: String,
        cwd: String,
        env: BTreeMap<String, String>,
    ) -> Result<Draft, CallError> {
        let (package, mut env) = self.environment(env)?;
        self.add_own(&mut env, |_| true);
        // The shell that notes the call loses names that it can't have itself.
        for feature in env.get("CARGO_CFG_FEATURE").cloned().iter().flat_map(|all| all.split(',')) {
            let name = feature.to_uppercase().replace('-', "_");
            env.entry(format!("CARGO_FEATURE_{name}")).or_insert_with(|| "1".to_owned());
        }
        env.insert(JOBS.0.to_owned(), JOBS.1.to_owned());
        env.insert("RUSTC".to_owned(), "rustc".to_owned());
        let out_dir = env.get("OUT_DIR").cloned().ok_or(CallError::Malformed("no OUT_DIR"))?;
        let is_mark = |name: &str| name.starts_with("DEP_") && name.ends_with(DEPENDENCY_MARK);
        let marks: Vec<String> = env.keys().filter(|name| is_mark(name)).cloned().collect();
        let out_dirs = marks.into_iter().filter_map(|name| {
            let path = env.remove(&name)?;
            Some((name.trim_end_matches(DEPENDENCY_MARK).to_owned(), path))
        });
        let out_dirs = out_dirs.collect();
        let folder = program.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        let folder = folder.ok_or(CallError::Malformed("a program without a folder"))?;
        let work = RunScript { program, compiled: 0, out_dir, metadata: Vec::new() };
        let unit = Unit { package, work: UnitWork::Run(work), env, cwd };
        Ok(Draft { unit, needs: vec![folder], script: None, out_dirs })
    }

    /// Adds the variables that run.toml sets. They were left out because Cargo has them, too.
    fn add_own(&self, env: &mut BTreeMap<String, String>, is_seen: impl Fn(&str) -> bool) {
        for (name, value) in self.own.iter().filter(|(name, _)| is_seen(name)) {
            env.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    /// Returns the package that Cargo names in the environment, and the variables that Cargo has set.
    fn environment(
        &self,
        mut env: BTreeMap<String, String>,
    ) -> Result<(UnitPackage, BTreeMap<String, String>), CallError> {
        let value = |name: &str| env.get(name).cloned().ok_or(CallError::Malformed("no package"));
        let package = UnitPackage {
            name: value("CARGO_PKG_NAME")?,
            version: value("CARGO_PKG_VERSION")?,
            folder: self.places.real(value("CARGO_MANIFEST_DIR")?),
        };
        self.places.correct(&mut env, &package.folder);
        env.retain(|name, value| {
            !is_own_variable(name)
                && !OF_THE_RUN.contains(&name.as_str())
                && self.inherited.get(name) != Some(value)
        });
        Ok((package, env))
    }
}

/// The arguments of rustc, sorted by what they are for.
struct Arguments {
    compile: Compile,
    /// The paths of the files that it uses.
    files: Vec<String>,
    /// The OUT_DIRs of the scripts whose libraries may be linked.
    out_dirs: Vec<String>,
}

impl Arguments {
    fn read(args: Vec<String>) -> Result<Self, CallError> {
        let (mut kept, mut files, mut out_dirs) = (Vec::new(), Vec::new(), Vec::new());
        let (mut name, mut folder, mut suffix) = (None, None, String::new());
        let (mut types, mut target, mut linker, mut has_metadata) = (Vec::new(), None, None, false);
        let mut words = args.into_iter();
        while let Some(word) = words.next() {
            let flags =
                ["--crate-name", "--crate-type", "--out-dir", "--target", "--extern", "-C", "-L"];
            let Some(flag) = flags.into_iter().find(|flag| *flag == word) else {
                let emits = word.strip_prefix("--emit=");
                has_metadata |= emits.is_some_and(|kinds| kinds.contains("metadata"));
                kept.extend(without_messages(word));
                continue;
            };
            let value = words.next().ok_or(CallError::Malformed("an option without a value"))?;
            match flag {
                "--crate-name" => name = Some(value.clone()),
                "--crate-type" => types.push(value.clone()),
                "--out-dir" => {
                    folder = Some(value);
                    continue;
                }
                "--target" => target = Some(value.clone()),
                "--extern" => files.extend(value.split_once('=').map(|(_, path)| path.to_owned())),
                "-C" if value.starts_with("incremental=") => continue,
                "-C" => {
                    if let Some(given) = value.strip_prefix("extra-filename=") {
                        given.clone_into(&mut suffix);
                    }
                    if value.starts_with("linker=") {
                        linker = Some(value);
                        continue;
                    }
                }
                "-L" => {
                    let marked = value.strip_prefix("native=").and_then(|it| it.strip_suffix(MARK));
                    if let Some(out_dir) = marked {
                        out_dirs.push(out_dir.to_owned());
                        continue;
                    }
                }
                _ => {}
            }
            kept.extend([word, value]);
        }
        let crate_name = name.ok_or(CallError::Malformed("no name of a crate"))?;
        let kind = kind(&types);
        if let Some(linker) = linker.filter(|_| kind.links()) {
            kept.extend(["-C".to_owned(), linker]);
        }
        let made = Made { crate_name: &crate_name, suffix: &suffix, is_for_host: target.is_none() };
        let compile = Compile {
            kind,
            is_for_host: target.is_none(),
            files: made.files(&types, has_metadata),
            args: kept,
            needs_code: !has_metadata,
            folder: folder.ok_or(CallError::Malformed("no folder for outputs"))?,
            needs: Vec::new(),
            script: None,
            searches: Vec::new(),
            crate_name,
        };
        Ok(Self { compile, files, out_dirs })
    }
}

/// Returns an argument as it is kept: not at all, if it says how Cargo wants messages to be written, and without
/// the list of source files, which Cargo needs to know what to watch.
fn without_messages(word: String) -> Option<String> {
    let dropped = ["--error-format=", "--json=", "--diagnostic-width="];
    if dropped.iter().any(|start| word.starts_with(start)) {
        return None;
    }
    match word.strip_prefix("--emit=") {
        Some(kinds) => {
            let kinds: Vec<&str> = kinds.split(',').filter(|kind| *kind != "dep-info").collect();
            Some(format!("--emit={}", kinds.join(",")))
        }
        None => Some(word),
    }
}

fn kind(types: &[String]) -> CrateKind {
    let has = |name: &str| types.iter().any(|kind| kind == name);
    match () {
        () if has("bin") => CrateKind::Binary,
        () if has("proc-macro") => CrateKind::ProcMacro,
        () if has("cdylib") => CrateKind::Cdylib,
        () => CrateKind::Library,
    }
}

/// The parts of the names of a crate's files.
struct Made<'a> {
    crate_name: &'a str,
    suffix: &'a str,
    is_for_host: bool,
}

impl Made<'_> {
    fn files(&self, types: &[String], has_metadata: bool) -> Vec<String> {
        let stem = format!("{}{}", self.crate_name, self.suffix);
        let mut files = Vec::new();
        for kind in types {
            match kind.as_str() {
                "lib" | "rlib" => {
                    files.push(format!("lib{stem}.rlib"));
                    files.extend(has_metadata.then(|| format!("lib{stem}.rmeta")));
                }
                "proc-macro" => files.push(format!("lib{stem}.so")),
                "cdylib" | "dylib" if self.is_for_host => files.push(format!("lib{stem}.so")),
                "bin" if self.is_for_host => files.push(stem.clone()),
                "bin" | "cdylib" => files.push(format!("{stem}.wasm")),
                // No unit uses a static library, and there are no other dynamic libraries for WebAssembly.
                _ => {}
            }
        }
        files
    }
}

/// Puts the units of all selected targets into one list, in which the needs of a unit come before it.
#[derive(Default)]
struct UnitLinker {
    units: Units,
    /// The indexes of equal units.
    known: BTreeMap<Unit, usize>,
    /// The units by the paths of their files, and the runs of scripts by OUT_DIR. An entry of an earlier target
    /// that is not replaced is of a file that Cargo has found again. The recorder removes files whose names don't
    /// tell for which features they were made.
    makers: BTreeMap<String, usize>,
}

impl UnitLinker {
    /// Adds the units that Cargo called for a target. What it did not call again was there from earlier targets.
    fn add(&mut self, drafts: Vec<Draft>, root: &Root) -> Result<(), CallError> {
        let mut made_by = BTreeMap::new();
        for (number, draft) in drafts.iter().enumerate() {
            for path in draft.unit.makes() {
                made_by.insert(path, number);
            }
        }
        let mut waiting: Vec<Option<Draft>> = drafts.into_iter().map(Some).collect();
        let mut placed = BTreeSet::new();
        for number in 0..waiting.len() {
            self.place(number, &mut waiting, &made_by, &mut placed)?;
        }
        let is_root = |index: &usize| {
            let unit = &self.units.units[*index];
            let UnitWork::Compile(compile) = &unit.work else { return false };
            let kind = if root.is_program { CrateKind::Binary } else { CrateKind::Cdylib };
            unit.package.folder == root.folder
                && compile.crate_name == root.crate_name
                && (compile.kind, compile.is_for_host) == (kind, false)
        };
        let root = placed.into_iter().find(is_root);
        self.units.roots.push(root);
        Ok(())
    }

    /// Puts a unit behind those that it needs.
    fn place(
        &mut self,
        number: usize,
        waiting: &mut [Option<Draft>],
        made_by: &BTreeMap<String, usize>,
        placed: &mut BTreeSet<usize>,
    ) -> Result<(), CallError> {
        let Some(draft) = waiting[number].take() else { return Ok(()) };
        let Draft { mut unit, needs, script, out_dirs } = draft;
        let paths = needs.iter().chain(&script).chain(out_dirs.iter().map(|(_, path)| path));
        for path in paths {
            if let Some(number) = made_by.get(path) {
                self.place(*number, waiting, made_by, placed)?;
            }
        }
        let find = |path: &String| {
            self.makers.get(path).copied().ok_or_else(|| CallError::UnknownFile {
                unit: unit.package.name.clone(),
                path: path.clone(),
            })
        };
        let needs: Vec<usize> = needs.iter().map(find).collect::<Result<_, _>>()?;
        let script = script.as_ref().map(find).transpose()?;
        let found = out_dirs.iter().map(|(start, path)| Ok((start.clone(), find(path)?)));
        let found: Vec<(String, usize)> = found.collect::<Result<_, CallError>>()?;
        match &mut unit.work {
            UnitWork::Compile(compile) => {
                compile.searches = found.into_iter().map(|(_, index)| index).collect();
                (compile.needs, compile.script) = (needs, script);
            }
            UnitWork::Run(run) => (run.compiled, run.metadata) = (needs[0], found),
        }
        let paths = unit.makes();
        let next = self.units.units.len();
        let index = *self.known.entry(unit.clone()).or_insert(next);
        if index == next {
            self.units.units.push(unit);
        }
        placed.insert(index);
        self.makers.extend(paths.into_iter().map(|path| (path, index)));
        Ok(())
    }
}

impl Unit {
    /// Returns the paths by which other units name what this one makes.
    fn makes(&self) -> Vec<String> {
        match &self.work {
            UnitWork::Compile(compile) => {
                let mut paths: Vec<String> =
                    compile.files.iter().map(|file| format!("{}/{file}", compile.folder)).collect();
                // Cargo gives the program of a build script a second name in the same folder, which holds
                // nothing else.
                if compile.is_for_host && compile.kind == CrateKind::Binary {
                    paths.push(compile.folder.clone());
                }
                paths
            }
            UnitWork::Run(run) => vec![run.out_dir.clone()],
        }
    }
}

#[cfg(test)]
mod tests;
