//! The one constant of each language module: all that the rest of the program knows of a language.
//!
//! It holds functions and plain data, no trait object, so that the table of languages is one `match`
//! ([`rule()`](super::rule())).

use std::path::Path;

use engine::CommandReport;

use crate::manifest::{CapabilityKind, Compiler};
use crate::path::ProjectPath;
use crate::planner::{Compiled, PlanError, Planner, Request};

/// The entry points of a language module. Each module has one constant of this type, and
/// [`rule`](super::rule()) lists them.
pub(crate) struct Rule {
    /// The toolchains that its components need.
    pub(crate) toolchains: NeededToolchains,
    /// The capabilities whose interfaces its components import although nobody asked for them: the run time does, or the
    /// tool imports everything that the world names. They are denied when the component runs, and not when it is built.
    pub(crate) brings: &'static [CapabilityKind],
    /// The reason why the tools can't compile components for WASI 0.3, or `None` if they can.
    pub(crate) no_wasi_3: Option<&'static str>,
    /// The function that adds the actions which compile a component.
    pub(crate) compile: fn(&mut Planner<'_>, &Request<'_>) -> Result<Compiled, PlanError>,
    /// The function that returns the hints for a failed action: what the user can do about it, judged by what
    /// its tools wrote. Every language is asked about every failed action, whatever the language of the
    /// component is.
    pub(crate) hints: fn(&mut ToolOutput<'_>) -> Vec<String>,
}

/// The capabilities whose interfaces a component may import in whatever language it was written. No run time imports
/// configuration or key-value stores by itself.
pub(crate) const BROUGHT_BY_ANY: &[CapabilityKind] = &[
    CapabilityKind::HttpServer,
    CapabilityKind::HttpClient,
    CapabilityKind::Clock,
    CapabilityKind::Random,
    CapabilityKind::Filesystem,
    CapabilityKind::Env,
    CapabilityKind::Stdio,
    CapabilityKind::Sockets,
    CapabilityKind::Logging,
];

/// The capabilities whose interfaces the standard libraries of compiled languages import by themselves: they have variables,
/// streams, files for their messages, clocks, and seeds for their hash tables. Log entries are dropped if they are not
/// granted, and nobody is hurt.
pub(crate) const BROUGHT_BY_LIBRARY: &[CapabilityKind] = &[
    CapabilityKind::HttpServer,
    CapabilityKind::Clock,
    CapabilityKind::Random,
    CapabilityKind::Filesystem,
    CapabilityKind::Env,
    CapabilityKind::Stdio,
    CapabilityKind::Logging,
];

/// The names of the toolchains that components in a language need.
pub(crate) enum NeededToolchains {
    /// All components need these toolchains.
    Same(&'static [&'static str]),
    /// The toolchains depend on the component. The function gets the project and all its components in this
    /// language that are built together, because some of them share an action. It returns one list for each.
    Each(fn(&Path, &[Written<'_>]) -> Vec<Vec<&'static str>>),
}

/// The keys of a component in run.toml that the choice of its toolchains depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'a> {
    /// The key `source`.
    pub(crate) file: &'a ProjectPath,
    /// The key `compiler`, if it is written.
    pub(crate) compiler: Option<Compiler>,
}

/// The output of a failed action's tools, with what is known of the action.
pub(crate) struct ToolOutput<'a> {
    /// Standard error and then standard output, without colours. Where the tools of a language use other
    /// paths than the action does, the language may replace these here.
    pub(crate) text: String,
    /// The error message of an action that is a builtin and not a command.
    pub(crate) reason: String,
    /// The command, if the action is one.
    pub(crate) command: Option<&'a CommandReport>,
    /// The note that planning has made of the action for the case that it fails.
    pub(crate) note: Option<&'a str>,
    /// The folder of the project, if the action belongs to one of its components.
    pub(crate) project: Option<&'a Path>,
}

impl<'a> ToolOutput<'a> {
    /// Makes the output of `command`, or of an unknown command.
    #[cfg(test)]
    pub(crate) fn of(text: &str, command: Option<&'a CommandReport>) -> Self {
        Self { text: text.to_owned(), reason: String::new(), command, note: None, project: None }
    }

    /// Returns true if the text contains one of `signs`.
    pub(crate) fn has(&self, signs: &[&str]) -> bool {
        signs.iter().any(|sign| self.text.contains(sign))
    }
}
