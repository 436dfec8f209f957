//! Calls Go's compiler, assembler and linker: with one action for each package, and one action that links.
//!
//! The compiler writes two files. The export data of a package (`-o`) describes what the package offers, and
//! is all that the packages which import it need. The code (`-linkobj`) is for the linker only. So after an
//! edit inside a function only one package is compiled.
//!
//! A package of the standard library or of somebody else's module is compiled once for everybody: its action sees
//! its module and the export data of what it imports, and has no settings of a component but those that
//! decide about the code. Tags are not among them, since they only choose files. The action of a package of the
//! project belongs to the component.
//!
//! The standard library is not grouped, though a program needs 100 to 200 packages of it: 390 packages took as
//! much processor time by 390 actions as by the go command from an empty cache (74 s and 75 s).

use std::collections::BTreeMap;

use engine::{Action, ActionId, Input, Label, Source};

use super::arrange::Arrange;
use super::command::environment;
use super::compile::Go;
use super::fetch::MODULES;
use super::pack::Pack;
use super::packages::{Package, Packages};
use super::program::{Origin, Piece, Program};
use super::sources::Sources;
use crate::lang::bindings::go::{BUILD_MODE, FIRST_ARGUMENT_FILE, FIRST_ARGUMENT_TEXT, PLACE};
use crate::path::ProjectPath;
use crate::planner::source_tree::SourceTree;
use crate::planner::{PlanError, Planner, process};
use crate::platform::Platform;

/// The export data of a package among the outputs of its compilation.
const EXPORT: &str = "package.x";
/// Its code.
const OBJECT: &str = "package.o";
/// The output for the assembler with the constants of the package and the layout of its types.
const HEADER: &str = "go_asm.h";
/// The list of the functions in assembly, which the compiler gets.
const SYMBOLS: &str = "symabis";
/// A file of assembled code.
const ASSEMBLED: &str = "assembled.o";
/// A profile of a program's run, in the folder of its main package.
const PROFILE: &str = "default.pgo";

/// The inputs of compiling and linking.
pub(super) struct Pieces<'a> {
    pub(super) go: &'a Go<'a>,
    pub(super) packages: &'a Packages,
    pub(super) sources: &'a Sources,
    pub(super) program: &'a Program,
    /// The action [`Arrange`].
    pub(super) arranged: ActionId,
    /// The platform that the tools run on.
    pub(super) platform: Platform,
}

/// The compiled parts of a package.
struct Compiled {
    export: Source,
    object: Source,
}

/// The sources that the actions of a package see.
struct Seen {
    inputs: Vec<Input>,
    /// The folder in which the compiler starts. Its messages name files from there on.
    cwd: &'static str,
}

impl Pieces<'_> {
    /// The linked core module.
    pub(super) const OUTPUT: &'static str = "core.wasm";

    /// Adds the actions and returns the last one, which leaves [`Self::OUTPUT`].
    pub(super) fn build(&self, planner: &mut Planner<'_>) -> Result<ActionId, PlanError> {
        let mut compiled = BTreeMap::new();
        for piece in &self.program.packages {
            let made = self.compile(planner, piece, &compiled)?;
            compiled.insert(piece.path.as_str(), made);
        }
        planner.add(self.link(&compiled))
    }

    /// Adds the actions that compile a package. Those of its imports are there already.
    fn compile(
        &self,
        planner: &mut Planner<'_>,
        piece: &Piece,
        compiled: &BTreeMap<&str, Compiled>,
    ) -> Result<Compiled, PlanError> {
        let seen = self.seen(planner, piece)?;
        let label = self.label(piece, "compile");
        let has_assembly = !piece.assembly.is_empty();
        let mut argv = self.tool("compile");
        argv.extend(["-p", self.symbol_path(piece), "-nolocalimports", "-pack"].map(str::to_owned));
        argv.extend(["-o".to_owned(), format!("/out/{EXPORT}")]);
        argv.extend(["-linkobj".to_owned(), format!("/out/{OBJECT}")]);
        argv.extend(["-dwarf=false".to_owned(), format!("-trimpath={}", piece.trimpath)]);
        argv.extend(piece.language.iter().map(|version| format!("-lang=go{version}")));
        let mut inputs = seen.inputs.clone();
        for import in &piece.imports {
            if let Some(Compiled { export, .. }) = compiled.get(import.as_str()) {
                inputs.push(Input::new(Arrange::place_of(import), export.clone()));
            }
        }
        let mut flag = |name: &str, place: &str, from: Source| {
            argv.extend([name.to_owned(), format!("/{place}")]);
            inputs.push(Input::new(place, from));
        };
        if !piece.import_map.is_empty() {
            flag("-importcfg", "go/importcfg", stored(planner, &import_config(piece))?);
        }
        if let Some(embedded) = &piece.embedded {
            flag("-embedcfg", "go/embedded.json", stored(planner, embedded)?);
        }
        if has_assembly {
            let listed = self.list_symbols(planner, piece, &seen)?;
            flag("-symabis", &format!("go/{SYMBOLS}"), Source::output(listed, SYMBOLS));
            argv.extend(["-asmhdr".to_owned(), format!("/out/{HEADER}")]);
        }
        if piece.import_map.is_empty() {
            argv.extend(["-I", "/pkg"].map(str::to_owned));
        }
        argv.extend(piece.is_complete().then(|| "-complete".to_owned()));
        match piece.origin {
            Origin::Standard => argv.push("-std".to_owned()),
            Origin::Project => argv.extend(self.profile(planner)),
            Origin::Module { .. } => {}
        }
        let below = format!("/{}/", seen.cwd);
        let files = piece.go_files.iter();
        argv.extend(files.map(|file| file.strip_prefix(&below).unwrap_or(file).to_owned()));

        let action = Action::process(label, process(argv, self.environment(piece), seen.cwd))
            .output(EXPORT)
            .output(OBJECT);
        let action = if has_assembly { action.output(HEADER) } else { action };
        let action = inputs.into_iter().fold(action, Action::input);
        let id = self.add(planner, piece, action)?;
        if let Some(note) = &piece.note {
            planner.note(id, note);
        }
        let object = match has_assembly {
            true => Source::output(self.pack(planner, piece, &seen, id)?, Pack::OUTPUT),
            false => Source::output(id, OBJECT),
        };
        Ok(Compiled { export: Source::output(id, EXPORT), object })
    }

    /// Adds the action that lists the functions in assembly.
    fn list_symbols(
        &self,
        planner: &mut Planner<'_>,
        piece: &Piece,
        seen: &Seen,
    ) -> Result<ActionId, PlanError> {
        // The constants are not known yet, and not needed.
        let header = stored(planner, "")?;
        let mut argv = self.assembler(piece);
        argv.extend(["-gensymabis", "-o", "/out/symabis"].map(str::to_owned));
        argv.extend(piece.assembly.iter().cloned());
        let label = self.label(piece, "list symbols of");
        let action = self.assembly(piece, seen, label, argv);
        let action = action.input(Input::new(format!("go/{HEADER}"), header)).output(SYMBOLS);
        self.add(planner, piece, action)
    }

    /// Adds the actions that assemble files, and the one that adds their code to the package.
    fn pack(
        &self,
        planner: &mut Planner<'_>,
        piece: &Piece,
        seen: &Seen,
        compiled: ActionId,
    ) -> Result<ActionId, PlanError> {
        let pack = Pack { assembled: piece.assembly.len() };
        let mut packed = Action::builtin(self.label(piece, "pack"), pack)
            .input(Input::new(Pack::COMPILED, Source::output(compiled, OBJECT)))
            .output(Pack::OUTPUT);
        for (number, file) in piece.assembly.iter().enumerate() {
            let mut argv = self.assembler(piece);
            argv.extend(["-o".to_owned(), format!("/out/{ASSEMBLED}"), file.clone()]);
            let name = file.rsplit('/').next().unwrap_or(file);
            let label = self.label(piece, &format!("assemble {name} of"));
            let header = Input::new(format!("go/{HEADER}"), Source::output(compiled, HEADER));
            let action = self.assembly(piece, seen, label, argv).input(header).output(ASSEMBLED);
            let assembled = Source::output(self.add(planner, piece, action)?, ASSEMBLED);
            packed = packed.input(Input::new(Pack::assembled(number), assembled));
        }
        self.add(planner, piece, packed)
    }

    /// Returns an action that calls the assembler, in the folder of the package.
    fn assembly(&self, piece: &Piece, seen: &Seen, label: Label, argv: Vec<String>) -> Action {
        let cwd = piece.dir.trim_start_matches('/');
        let action = Action::process(label, process(argv, self.environment(piece), cwd));
        seen.inputs.iter().cloned().fold(action, Action::input)
    }

    fn assembler(&self, piece: &Piece) -> Vec<String> {
        let mut argv = self.tool("asm");
        argv.extend(
            ["-p", self.symbol_path(piece), "-trimpath", &piece.trimpath].map(str::to_owned),
        );
        argv.extend(["-I", "/go", "-I", "/usr/lib/go/pkg/include"].map(str::to_owned));
        argv.extend(["-D", "GOOS_wasip1", "-D", "GOARCH_wasm"].map(str::to_owned));
        argv
    }

    fn link(&self, compiled: &BTreeMap<&str, Compiled>) -> Action {
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
        argv.push(format!("/{}", Arrange::place_of(&go.main())));
        let action = Action::process(Label::new(go.request.name, "link"), process(argv, env, ""))
            .input(Input::root(go.image.clone()))
            .input(self.arranged(&format!("go/{}", Arrange::LINKED), Arrange::LINKED))
            .input(self.arranged("go/arguments", Arrange::LINK));
        let objects = compiled
            .iter()
            .map(|(path, made)| Input::new(Arrange::place_of(path), made.object.clone()));
        objects.fold(action, Action::input).output(Self::OUTPUT)
    }

    /// Returns what the actions of a package see: the tools and the sources.
    fn seen(&self, planner: &mut Planner<'_>, piece: &Piece) -> Result<Seen, PlanError> {
        let go = self.go;
        let mut inputs = vec![Input::root(go.image.clone())];
        let in_project =
            piece.dir.strip_prefix("/src").filter(|dir| dir.is_empty() || dir.starts_with('/'));
        let cwd = match (&piece.origin, in_project) {
            (Origin::Standard, _) => {
                let added = format!("{PLACE}/{FIRST_ARGUMENT_FILE}");
                if piece.go_files.contains(&format!("/{added}")) {
                    inputs.push(Input::new(added, stored(planner, FIRST_ARGUMENT_TEXT)?));
                }
                ""
            }
            (Origin::Module { folder: Some(folder), .. }, _) => {
                inputs.extend(go.modules.iter().filter_map(|modules| modules.module(folder)));
                MODULES
            }
            (Origin::Project, Some(dir)) => {
                let folder = ProjectPath::parse(dir.trim_start_matches('/'))?;
                let tree = self.own(planner, piece, &folder)?;
                inputs.push(Input::new("src", Source::Tree(planner.store_tree(tree)?)));
                if piece.go_files.iter().any(|file| file.starts_with(&format!("/{PLACE}/"))) {
                    inputs.push(Input::new(PLACE, go.bindings.clone()));
                }
                "src"
            }
            (_, Some(dir)) => {
                let folder = ProjectPath::parse(dir.trim_start_matches('/'))?;
                let tree = vendored(piece, &folder)?;
                inputs.push(Input::new("src", Source::Tree(planner.store_tree(tree)?)));
                "src"
            }
            (_, None) => "",
        };
        Ok(Seen { inputs, cwd })
    }

    /// Returns the sources of a package of the project.
    fn own(
        &self,
        planner: &Planner<'_>,
        piece: &Piece,
        folder: &ProjectPath,
    ) -> Result<SourceTree, PlanError> {
        let go = self.go;
        let mut tree = SourceTree::default();
        match self.packages.own.get(folder) {
            Some(package) => package.add_to(&mut tree),
            // Only packages of others import it.
            None => {
                let files = self.sources.package(folder)?;
                let mut package = Package::unasked(piece.path.clone(), files, &|_, _| false);
                package.find_embedded(planner.project(), folder, planner.outputs());
                package.add_to(&mut tree);
            }
        }
        if self.profile(planner).is_some() {
            tree.file(go.layout.folder.join(PROFILE));
        }
        if *folder == go.layout.folder {
            go.request.add_inputs(&mut tree);
        }
        Ok(tree)
    }

    /// Returns the flag that names the profile, if there is one. It counts for the project's own packages.
    fn profile(&self, planner: &Planner<'_>) -> Option<String> {
        let profile = self.go.layout.folder.join(PROFILE);
        let is_there = profile.on_disk(planner.project()).is_file();
        is_there.then(|| format!("-pgoprofile=/src/{profile}"))
    }

    fn environment(&self, piece: &Piece) -> BTreeMap<String, String> {
        let mut env = environment();
        env.extend(match piece.origin {
            Origin::Project => self.go.variables(),
            _ => self.go.code_settings(),
        });
        env
    }

    /// Returns the name of the package in the names of its symbols.
    fn symbol_path<'p>(&self, piece: &'p Piece) -> &'p str {
        if self.is_main(piece) { "main" } else { &piece.path }
    }

    fn is_main(&self, piece: &Piece) -> bool {
        piece.path == self.go.main()
    }

    fn add(
        &self,
        planner: &mut Planner<'_>,
        piece: &Piece,
        action: Action,
    ) -> Result<ActionId, PlanError> {
        match piece.origin {
            Origin::Project => planner.add_piece(action),
            _ => planner.add_shared_piece(action),
        }
    }

    /// Returns the label of a package's action. What compiles the main package is just `compile`, which is what
    /// people expect.
    fn label(&self, piece: &Piece, step: &str) -> Label {
        let whole = format!("{step} {}", piece.path);
        match &piece.origin {
            Origin::Standard => Label::new("go", whole),
            Origin::Module { name, .. } => Label::new(name.as_str(), whole),
            Origin::Project if self.is_main(piece) && step == "compile" => {
                Label::new(self.go.request.name, step)
            }
            Origin::Project => Label::new(self.go.request.name, whole),
        }
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

/// Returns the sources of a package in a folder `vendor`.
fn vendored(piece: &Piece, folder: &ProjectPath) -> Result<SourceTree, PlanError> {
    let mut tree = SourceTree::default();
    let files = piece.go_files.iter().chain(&piece.assembly);
    for file in files.filter_map(|file| file.strip_prefix("/src/")) {
        tree.file(ProjectPath::parse(file)?);
    }
    piece.others.iter().for_each(|name| tree.file(folder.join(name)));
    Ok(tree)
}

/// Returns the file that tells the compiler where the imports are. It is needed only if one of them has another
/// path in the source text.
fn import_config(piece: &Piece) -> String {
    let renamed = piece.import_map.iter().map(|(from, to)| format!("importmap {from}={to}\n"));
    let places = piece
        .imports
        .iter()
        .map(|path| format!("packagefile {path}=/{}\n", Arrange::place_of(path)));
    renamed.chain(places).collect()
}

fn stored(planner: &Planner<'_>, text: &str) -> Result<Source, PlanError> {
    Ok(Source::File { digest: planner.store().put(text.as_bytes())?, executable: false })
}
