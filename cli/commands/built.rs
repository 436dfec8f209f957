//! Builds one component for a command that goes on with its bytes.

use std::sync::Arc;

use engine::{Events, Outcome};
use project::{Builder, Built};
use rules::plan::Plan;

use super::start;
use crate::command_error::CommandError;
use crate::config::Config;
use crate::ui::Progress;

/// Builds the one component that a builder selects, and returns its bytes.
pub(super) fn component(config: &Config, builder: &Builder) -> Result<Vec<u8>, CommandError> {
    let built = build(config, builder, |_| ())?;
    let export = built.exports.first().map(|export| export.to.clone());
    built.into_success()?;
    let path = export.ok_or_else(|| CommandError::usage("the component is not built"))?;
    std::fs::read(&path).map_err(|source| {
        CommandError::environment(format!("cannot read {}", path.display())).caused_by(&source)
    })
}

/// Builds what a builder selects, and what is added to the plan.
pub(super) fn with(
    config: &Config,
    builder: &Builder,
    add: impl FnOnce(&mut Plan),
) -> Result<Outcome, CommandError> {
    Ok(build(config, builder, add)?.into_success()?)
}

fn build(
    config: &Config,
    builder: &Builder,
    add: impl FnOnce(&mut Plan),
) -> Result<Built, CommandError> {
    let mut state = builder.project.state(&builder.store)?;
    let progress = Arc::new(Progress::new(config.printer, start::traffic(builder)));
    let events: Arc<dyn Events> = progress.clone();
    let explain = |error| start::explain(config, &builder.store, error);
    let planned = builder.plan(&mut state, &events);
    progress.clear();
    let mut planned = planned.map_err(explain)?;
    add(&mut planned.plan);
    builder.check_promises(&planned.plan)?;
    let built = builder.build(&mut planned, &mut state, &events);
    progress.clear();
    built.map_err(explain)
}
