//! Builds one component for a command that goes on with its bytes.

use std::sync::Arc;

use engine::Events;
use project::Builder;

use super::start;
use crate::command_error::CommandError;
use crate::config::Config;
use crate::ui::Progress;

/// Builds the one component that a builder selects, and returns its bytes.
pub(super) fn component(config: &Config, builder: &Builder) -> Result<Vec<u8>, CommandError> {
    let mut state = builder.project.state(&builder.store)?;
    let progress = Arc::new(Progress::new(config.printer, start::traffic(builder)));
    let events: Arc<dyn Events> = progress.clone();
    let explain = |error| start::explain(config, &builder.store, error);
    let planned = builder.plan(&mut state, &events);
    progress.clear();
    let mut planned = planned.map_err(explain)?;
    builder.check_promises(&planned.plan)?;
    let built = builder.build(&mut planned, &mut state, &events);
    progress.clear();
    let built = built.map_err(explain)?;
    let export = built.exports.first().map(|export| export.to.clone());
    built.into_success()?;
    let path = export.ok_or_else(|| CommandError::usage("the component is not built"))?;
    std::fs::read(&path).map_err(|source| {
        CommandError::environment(format!("cannot read {}", path.display())).caused_by(&source)
    })
}
