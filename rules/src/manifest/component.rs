//! Reads `[[component]]`: what a component is made from, how it is built, and what it may do.
//!
//! It looks at one component alone. What must hold between components is checked in `sibling`, and the files
//! on disk in `disk`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use toml::de::DeValue;

use super::capability::{Capability, CapabilityKind};
use super::choice::Compiler;
use super::diagnostic::Diagnostic;
use super::features::Features;
use super::invalid::Invalid;
use super::language::{Language, Written};
use super::limits::Limits;
use super::name::{ComponentName, VariableName, WorldName};
use super::pattern::Pattern;
use super::route::Route;
use super::span::{Setting, Span, Spanned};
use super::suggest;
use super::table::{self, Reader};
use crate::path::ProjectPath;

/// A component of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// The component's name, unique in the project. The output is `NAME.wasm`.
    pub name: Spanned<ComponentName>,
    /// The file that it is made from.
    pub origin: Origin,
    /// The WIT file, or the folder of a WIT package, that describes it.
    pub wit: Option<Spanned<ProjectPath>>,
    /// The world that it implements. `None` means the only world of `wit`.
    pub world: Option<Spanned<WorldName>>,
    /// The things that it may do, in the order of the file.
    pub capabilities: Vec<Spanned<Capability>>,
    /// True if a build of all components includes it.
    pub enabled: Setting<bool>,
    /// True if it is a part of the project's tests: only they build it.
    pub test: Setting<bool>,
    /// Files of the project that its build may read in addition to its sources.
    pub inputs: Vec<Spanned<Pattern>>,
    /// Files of its folder that are not compiled, although its language compiles the whole folder.
    pub exclude: Vec<Spanned<Pattern>>,
    /// The environment variables that run.toml sets for its build.
    pub env: BTreeMap<VariableName, Spanned<String>>,
    /// The features of its Cargo package.
    pub features: Features,
    /// True if its types are checked beside its build.
    pub check: Setting<bool>,
    /// The compiler, if run.toml names one. Only Go has a choice.
    pub compiler: Option<Spanned<Compiler>>,
    /// The components of this project whose exports it imports.
    pub dependencies: Vec<Spanned<ComponentName>>,
    /// The path at which the development server serves it.
    pub route: Option<Spanned<Route>>,
    /// The limits of its build.
    pub limits: Limits,
    /// The place of its `[[component]]` heading.
    pub span: Span,
}

impl Component {
    /// Tells if a build of all components makes it.
    pub fn is_built(&self) -> bool {
        *self.enabled && !*self.test
    }

    /// Tells if it is granted a capability, whatever the arguments.
    pub fn is_granted(&self, kind: CapabilityKind) -> bool {
        self.capabilities.iter().any(|capability| capability.value.kind() == kind)
    }

    /// Returns the environment variables that run.toml sets for its build, as plain text.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        self.env.iter().map(|(name, value)| (name.to_string(), value.value.clone())).collect()
    }
}

/// The origin of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Compiled from `source`.
    Source {
        /// The main source file.
        file: Spanned<ProjectPath>,
        /// The language: as it is written, or implied by the extension of the file name.
        language: Setting<Language>,
    },
    /// Taken ready-made from `path`.
    Prebuilt {
        /// The WebAssembly file.
        file: Spanned<ProjectPath>,
    },
}

impl Origin {
    /// Returns the file that the component is made from.
    pub fn file(&self) -> &Spanned<ProjectPath> {
        match self {
            Self::Source { file, .. } | Self::Prebuilt { file } => file,
        }
    }

    /// Returns the file of a ready-made component.
    pub fn ready_made(&self) -> Option<&ProjectPath> {
        match self {
            Self::Source { .. } => None,
            Self::Prebuilt { file } => Some(&file.value),
        }
    }
}

/// Variables that `run` sets itself. They are the same for every build.
const FIXED_VARIABLES: [&str; 8] = [
    "HOME",
    "LC_ALL",
    "PATH",
    "PYTHONHASHSEED",
    "SOURCE_DATE_EPOCH",
    "TMPDIR",
    "TZ",
    "ZERO_AR_DATE",
];

/// Reads one `[[component]]`. Returns `None` if its name or its origin can't be read.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<Component> {
    let name = reader.required("name", "api");
    let (origin, named) = read_origin(reader, name.as_ref());
    let wit = reader.parse("wit");
    let world = reader.parse("world");
    check_world(reader, world.as_ref());
    let capabilities = reader.list("capabilities");
    warn_of_repetition(reader, "capability", &capabilities);
    let dependencies = reader.list_of("dependencies", sibling);
    warn_of_repetition(reader, "dependency", &dependencies);
    let enabled = Setting::or(reader.flag("enabled"), true);
    let test = Setting::or(reader.flag("test"), false);
    let inputs = reader.list("inputs");
    let exclude = reader.list("exclude");
    check_exclude(reader, origin.as_ref());
    let env = read_env(reader);
    let language = match &origin {
        Some(Origin::Source { language, .. }) => Some(language.value),
        _ => None,
    };
    let features = Features::read(reader, language);
    let check = Setting::or(reader.flag("check"), true);
    check_check(reader, origin.as_ref());
    let compiler = read_compiler(reader, language, named);
    let route = reader.parse("route");
    let limits = Limits::read(reader);
    let span = reader.span();
    Some(Component {
        name: name?,
        origin: origin?,
        wit,
        world,
        capabilities,
        enabled,
        test,
        inputs,
        exclude,
        env,
        features,
        check,
        compiler,
        dependencies,
        route,
        limits,
        span,
    })
}

fn read_origin(
    reader: &mut Reader<'_, '_>,
    name: Option<&Spanned<ComponentName>>,
) -> (Option<Origin>, Option<Spanned<Compiler>>) {
    let keys = (reader.key("source"), reader.key("path"));
    let source = reader.parse("source");
    let path = reader.parse("path");
    let written: Option<Spanned<Written>> = reader.parse("language");
    let language = written.as_ref().map(|it| Spanned::new(it.language, it.span));
    let compiler = written.and_then(|it| Some(Spanned { value: it.compiler?, span: it.span }));
    let origin = match keys {
        (Some(source), Some(path)) => {
            reader.report(
                Diagnostic::error(path, "a component has either `source` or `path`, not both")
                    .label("expected only one of them")
                    .related(source, "`source` is here"),
            );
            None
        }
        (None, None) => {
            let it =
                name.map_or(reader.name().to_owned(), |name| format!("component `{}`", name.value));
            let message = format!("{it} has neither `source` nor `path`");
            reader.report_missing(
                &["source", "path"],
                Diagnostic::error(reader.span(), message)
                    .label("expected one of them below")
                    .help("`source` names a file to compile, `path` a ready-made component"),
            );
            None
        }
        (Some(_), None) => {
            let language = read_language(reader, source.as_ref(), language);
            // An invalid language is reported as an error, so no manifest is handed out that has this
            // stand-in. With it, the rest of the component can still be checked.
            let any = || Setting::implied(Language::all().next().expect("there are languages"));
            let language = language.unwrap_or_else(any);
            source.map(|file| Origin::Source { file, language })
        }
        (None, Some(_)) => {
            refuse_build_keys(reader);
            path.map(|file| Origin::Prebuilt { file })
        }
    };
    (origin, compiler)
}

/// Returns the compiler that `compiler` names, or that `language` names in place of a language.
fn read_compiler(
    reader: &mut Reader<'_, '_>,
    language: Option<Language>,
    named: Option<Spanned<Compiler>>,
) -> Option<Spanned<Compiler>> {
    let written: Option<Spanned<Compiler>> = reader.parse("compiler");
    let span = reader.key("compiler");
    if let (Some(span), Some(language)) = (span, language.filter(|it| !it.has_compilers())) {
        reader.report(
            Diagnostic::error(span, format!("a component in {language} has no `compiler`"))
                .label("expected only for a component in go")
                .help("Go has two compilers, `go` and `tinygo`; other languages have one"),
        );
    }
    match (written, named) {
        (Some(written), Some(named)) if written.value != named.value => {
            reader.report(
                Diagnostic::error(
                    written.span,
                    format!("`{}` is not the compiler that `language` names", written.value),
                )
                .label(format!("expected `{}`, or `language = \"go\"` above", named.value))
                .related(named.span, format!("`{}` is named here", named.value)),
            );
            None
        }
        (written, named) => written.or(named),
    }
}

/// Returns the language that is written, or else the one that the extension of the source implies.
fn read_language(
    reader: &mut Reader<'_, '_>,
    source: Option<&Spanned<ProjectPath>>,
    written: Option<Spanned<Language>>,
) -> Option<Setting<Language>> {
    let source = source?;
    if written.is_none() && reader.key("language").is_some() {
        return None;
    }
    match (written, Language::of_source(source.as_str())) {
        (Some(written), Some(implied)) if !written.reads(implied) => {
            reader.report(
                Diagnostic::error(
                    written.span,
                    format!("`{}` is not a {} source", source.value, written.value),
                )
                .label(format!("expected `{implied}`"))
                .related(source.span, format!("this is a {implied} source by its ending")),
            );
            None
        }
        (Some(written), _) => Some(written.into()),
        (None, Some(implied)) => Some(Setting::implied(implied)),
        (None, None) => {
            let languages = suggest::all_of(Language::names());
            reader.report_missing(
                &["language"],
                Diagnostic::error(
                    source.span,
                    format!("the language of `{}` is unknown", source.value),
                )
                .label("expected a `language` beside this source")
                .help(format!("the languages are {languages}")),
            );
            None
        }
    }
}

/// Refuses keys about compiling in a component that is not compiled.
fn refuse_build_keys(reader: &mut Reader<'_, '_>) {
    let keys = ["language", "inputs", "exclude", "env", "check", "compiler"]
        .into_iter()
        .chain(Features::KEYS)
        .chain(Limits::KEYS);
    for key in keys {
        if let Some(span) = reader.key(key) {
            reader.report(
                Diagnostic::error(span, format!("a component with `path` has no `{key}`"))
                    .label("expected only with `source`")
                    .help("a ready-made component is not compiled"),
            );
        }
    }
}

/// Refuses `check` in a language that has no check beside the build.
fn check_check(reader: &mut Reader<'_, '_>, origin: Option<&Origin>) {
    let Some((Origin::Source { language, .. }, span)) = origin.zip(reader.key("check")) else {
        return;
    };
    if !language.has_check() {
        reader.report(
            Diagnostic::error(span, format!("a {} component has no `check`", language.value))
                .label("expected only in TypeScript")
                .help("the types of TypeScript are checked beside the build, which `check = false` switches off"),
        );
    }
}

/// Refuses `exclude` in a language that compiles only what the source refers to.
fn check_exclude(reader: &mut Reader<'_, '_>, origin: Option<&Origin>) {
    let Some(Origin::Source { language, .. }) = origin else { return };
    if let Some(span) = reader.key("exclude").filter(|_| !language.value.takes_folders()) {
        let message = format!("a component in {} has no `exclude`", language.value);
        reader.report(
            Diagnostic::error(span, message)
                .label("expected only with C and C++")
                .help("only C and C++ compile every source of a folder; here the sources say what belongs to them"),
        );
    }
}

/// Reports a world of the component's own package if there is no `wit` that could hold it.
fn check_world(reader: &mut Reader<'_, '_>, world: Option<&Spanned<WorldName>>) {
    if let Some(world) = world.filter(|world| !world.is_qualified() && reader.key("wit").is_none())
    {
        reader.report_missing(
            &["wit"],
            Diagnostic::error(world.span, format!("world `{}` has no WIT", world.value))
                .label("expected `wit` beside it, or a name like `wasi:cli/command`"),
        );
    }
}

/// Parses the name of another component. A package is a likely mistake and gets its own message.
fn sibling(text: &str) -> Result<ComponentName, Invalid> {
    if text.contains(':') {
        let message = format!("`{text}` is a package, not a component of this project");
        return Err(Invalid::new(message, "expected the name of a component")
            .help("list packages in `[dependencies]`"));
    }
    text.parse()
}

fn warn_of_repetition<T: std::fmt::Display>(
    reader: &mut Reader<'_, '_>,
    what: &str,
    list: &[Spanned<T>],
) {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    for item in list {
        match seen.entry(item.value.to_string()) {
            Entry::Vacant(place) => _ = place.insert(item.span),
            Entry::Occupied(first) => reader.report(
                Diagnostic::warning(item.span, format!("{what} `{}` is listed twice", item.value))
                    .label("this one has no effect")
                    .related(*first.get(), "first listed here"),
            ),
        }
    }
}

fn read_env(reader: &mut Reader<'_, '_>) -> BTreeMap<VariableName, Spanned<String>> {
    let mut env = BTreeMap::new();
    for (key, value) in reader.entries("env") {
        let name = reader.check(key.span, variable(key.value));
        let Some(text) = value.get_ref().as_str() else {
            reader.report(table::wrong_type(
                &format!("variable `{}`", key.value),
                value,
                "a string",
            ));
            continue;
        };
        let text = if text.contains('\0') {
            Err(Invalid::new("value contains a NUL character", "expected text"))
        } else {
            Ok(text.to_owned())
        };
        if let (Some(name), Some(text)) = (name, reader.check(value.span(), text)) {
            env.insert(name.value, text);
        }
    }
    env
}

/// Parses the name of a variable that a project may set for its builds.
fn variable(text: &str) -> Result<VariableName, Invalid> {
    if FIXED_VARIABLES.contains(&text) || text.starts_with("LD_") {
        return Err(Invalid::new(
            format!("variable `{text}` is set by run"),
            "expected another variable",
        )
        .help("builds run in a fixed environment, so that they give the same bytes everywhere"));
    }
    text.parse()
}

/// Returns the name of a table's component as it is written, valid or not, for checks across components.
pub(super) fn written_name(value: &table::Value<'_>) -> Option<Spanned<String>> {
    let name = match value.get_ref() {
        DeValue::Table(table) => table.get("name")?,
        _ => return None,
    };
    Some(Spanned::new(name.get_ref().as_str()?.to_owned(), name.span()))
}
