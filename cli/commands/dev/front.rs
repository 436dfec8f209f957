//! Makes builders for the development server, and prints what it has to say.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use dev::{Complaint, Message};
use engine::Events;
use project::{Builder, Built, Project, Suspects};
use rules::plan::Plan;
use sandbox::{Cancel, Isolation};

use super::say;
use crate::arguments::What;
use crate::command_error::CommandError;
use crate::commands::report::{self, Report};
use crate::commands::{cache, prepare, start};
use crate::config::Config;
use crate::ui::{self, Printer, Progress, mask};

/// The front of `run dev`.
pub(super) struct Front {
    config: Config,
    what: What,
    isolation: Isolation,
    folder: PathBuf,
    /// The progress of the last build, whose live lines must not be written over.
    progress: Mutex<Option<Arc<Progress>>>,
}

impl Front {
    pub(super) fn new(config: &Config, what: &What, isolation: Isolation, folder: &Path) -> Self {
        let (config, what, folder) = (config.clone(), what.clone(), folder.to_owned());
        Self { config, what, isolation, folder, progress: Mutex::new(None) }
    }

    fn progress(&self) -> Option<Arc<Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn clear(&self) {
        if let Some(progress) = self.progress() {
            progress.clear();
        }
    }

    /// Prints an error, and returns it as a complaint.
    fn complain(&self, error: &CommandError) -> Complaint {
        self.config.printer.error(error);
        let text = without_title(&mask::text(&self.coloured().error_text(error)));
        let title = mask::text(&error.message);
        Complaint { component: None, title, text }
    }

    /// Prints an error of the library, and returns it as a complaint with what it found in run.toml.
    fn complain_of(&self, error: project::Error) -> Complaint {
        let title = error.to_string();
        let found = error.findings().map(|findings| {
            start::report(&self.config, findings);
            mask::text(&findings.render(true))
        });
        match found {
            Some(text) => Complaint { component: None, title, text },
            None => self.complain(&error.into()),
        }
    }

    /// Returns the printer for texts that go to a page, which shows colours.
    fn coloured(&self) -> Printer {
        Printer { color: true, json: false, ..self.config.printer }
    }
}

/// Removes the first line of a text, which the title says, too, unless there is no other.
fn without_title(text: &str) -> String {
    let rest = text.split_once('\n').map(|(_, rest)| rest);
    rest.filter(|rest| !rest.trim().is_empty()).unwrap_or(text).to_owned()
}

impl dev::Front for Front {
    fn open(&self, cancel: &Cancel) -> Result<Builder, Complaint> {
        // The errors of run.toml are wanted as a text, too.
        let read = Project::read(self.folder.clone(), &start::overrides(&self.config));
        if let Err(error) = read {
            return Err(self.complain_of(error));
        }
        let (folder, cancel) = (self.folder.clone(), cancel.clone());
        let made = prepare::builder_in(&self.config, &self.what, self.isolation, folder, cancel);
        let mut builder = made.map_err(|error| self.complain(&error))?;
        // What can be built is served, whatever else is wrong.
        builder.conditions.keep_going = true;
        Ok(builder)
    }

    fn events(&self, builder: &Builder) -> Arc<dyn Events> {
        self.clear();
        let progress = Arc::new(Progress::new(self.config.printer, start::traffic(builder)));
        let mut last = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Arc::clone(&progress));
        progress
    }

    fn built(
        &self,
        builder: &Builder,
        plan: &Plan,
        built: &Built,
        began: Instant,
    ) -> Vec<Complaint> {
        self.clear();
        let (config, project, isolation) = (&self.config, &builder.project, self.isolation);
        plan.warnings.iter().for_each(|warning| config.printer.warning(warning));
        report::tell_faults(config, &builder.store, built);
        report::tell_cluster(config, builder, built);
        let troubles = report::tell_troubles(config, builder, built);
        let shared = builder.shared.as_ref();
        let report = Report { config, project, plan, isolation, shared, started: began };
        report.print(built);
        if built.outcome.summary.ran > 0 {
            cache::tidy_up(config, &builder.store);
        }
        let (suspects, printer) = (Suspects::new(plan, &project.folder), self.coloured());
        let complaint = |failure: &engine::Failure| Complaint {
            component: suspects.find(&failure.label).map(|suspect| suspect.component.to_owned()),
            title: mask::text(&format!("{} {}", failure.label, failure.kind)),
            text: without_title(&mask::text(&report.failure(&printer, failure, &suspects))),
        };
        let mut complaints: Vec<Complaint> = built.outcome.failures.iter().map(complaint).collect();
        complaints.extend(troubles.err().map(|error| self.complain(&error)));
        complaints
    }

    fn failed(&self, builder: &Builder, error: project::Error) -> Complaint {
        self.clear();
        start::tell_faults(&self.config, &builder.store);
        self.complain_of(error)
    }

    fn tell(&self, message: &Message<'_>) {
        let printer = &self.config.printer;
        if printer.json {
            ui::emit(&say::json(message));
        }
        let Some(text) = say::text(message, printer) else { return };
        let text = format!("{}\n", mask::text(&text));
        match self.progress() {
            Some(progress) => progress.print(&text),
            None => printer.line(text.trim_end()),
        }
    }

    fn mask(&self, text: &str) -> String {
        mask::text(text)
    }
}
