//! Arguments of `run new` and `run init`.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueEnum};
use rules::manifest::Language;

pub(super) const NEW_EXAMPLES: &str = "\
The project has one component, its WIT and a .gitignore, and builds at once. Its toolchains are pinned by
the first build, which writes run.lock.toml.

Examples:
    run new hello                              a program in Rust
    run new shop --language go --world http    a service in Go
    run new --list                             all languages and worlds";

pub(super) const INIT_EXAMPLES: &str = "\
Files that are already in the folder are not changed, but listed. The project gets the name of the folder. If the
folder has a package of some language, this is the language of the project.

Examples:
    run init
    run init --name shop --language go --world http";

/// Arguments of `run new`.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Call the project, its folder and its component by this name.
    #[arg(value_name = "NAME", required_unless_present = "list")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) kind: Kind,
    /// List the languages and worlds for which there are projects.
    #[arg(long, conflicts_with_all = ["name", "language", "world"])]
    pub(crate) list: bool,
}

/// Arguments of `run init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Call the project and its component by this name [default: that of the folder].
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) kind: Kind,
}

/// The kind of project to make.
#[derive(Debug, Args)]
pub(crate) struct Kind {
    /// The language of the component [default: rust].
    #[arg(short, long, value_name = "LANGUAGE", value_parser = languages(), ignore_case = true)]
    pub(crate) language: Option<Language>,
    /// The kind of component.
    #[arg(short, long, value_enum, value_name = "WORLD", ignore_case = true, default_value_t = World::Cli)]
    pub(crate) world: World,
}

/// The kind of a component, which decides about its WIT world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum World {
    /// A program that runs and ends (wasi:cli/command).
    #[value(alias = "command")]
    Cli,
    /// A service that answers HTTP requests (wasi:http/proxy).
    #[value(aliases = ["proxy", "service"])]
    Http,
    /// A library: an interface of its own that others call.
    #[value(alias = "library")]
    Lib,
}

impl World {
    /// Returns the name of the kind on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Http => "http",
            Self::Lib => "lib",
        }
    }
}

/// Parses a language by its name or by one of its other names.
fn languages() -> impl clap::builder::TypedValueParser<Value = Language> {
    let value = |language: Language| {
        PossibleValue::new(language.as_str()).aliases(language.nicknames().iter().copied())
    };
    PossibleValuesParser::new(Language::all().map(value)).map(|text| {
        Language::called(&text).expect("the parser lets only names and nicknames through")
    })
}
