//! Finds the component that an action belongs to, so that a message about the action can name a line of
//! run.toml.

use std::collections::BTreeMap;
use std::path::Path;

use engine::Label;
use rules::diagnose::Suspect;
use rules::plan::{Plan, PlannedComponent};

/// The components of a plan, by name.
#[derive(Debug)]
pub struct Suspects<'a> {
    project: &'a Path,
    by_name: BTreeMap<&'a str, &'a PlannedComponent>,
}

impl<'a> Suspects<'a> {
    /// Takes the components of a plan for the project in this folder.
    #[must_use]
    pub fn new(plan: &'a Plan, project: &'a Path) -> Self {
        let components = plan.components.iter();
        let by_name = components.map(|component| (component.name.as_str(), component)).collect();
        Self { project, by_name }
    }

    /// Returns the component that an action belongs to, or `None` for an action that several components
    /// share.
    #[must_use]
    pub fn find(&self, label: &Label) -> Option<Suspect<'a>> {
        let component = self.by_name.get(label.owner())?;
        let PlannedComponent { name, line, has_wit, wit, has_inputs, .. } = component;
        Some(Suspect {
            component: name,
            line: *line,
            has_wit: *has_wit,
            wit,
            has_inputs: *has_inputs,
            project: self.project,
        })
    }
}
