//! Checks the `dependencies` of a component: what it imports must be what its dependencies export.
//!
//! The worlds are compared and not the built components, for two reasons. What a component exports is checked
//! against its own world when it is built, and a compiler leaves out imports that are not used. So the result
//! is known before anything runs, and does not depend on which of the two is built. A ready-made component
//! without `wit` is read itself. If a compiled component has no world, nothing is known about it, and it is
//! not checked.

use engine::Source;
use sandbox::Cancel;

use crate::manifest::{Component, Origin};
use crate::planner::{ComponentWit, PlanError, Planner};
use crate::wasm::{FitErrand, Side};
use crate::worker;

/// Checks the dependencies of `component` against its world.
pub(super) fn check(
    planner: &mut Planner<'_>,
    component: &Component,
    wit: Option<&ComponentWit>,
) -> Result<(), PlanError> {
    if component.dependencies.is_empty() {
        return Ok(());
    }
    let Some(importer) = side(planner, component, wit)? else { return Ok(()) };
    let manifest = planner.manifest();
    for dependency in &component.dependencies {
        let found = manifest.components.iter().find(|other| other.name.value == dependency.value);
        let Some(other) = found else { continue };
        let wit = super::wit::complete(planner, other)?;
        let Some(exporter) = side(planner, other, wit.as_ref())? else { continue };
        let message = misfit(planner, &importer, &exporter)?;
        if !message.is_empty() {
            let dependency = dependency.to_string();
            return Err(PlanError::Misfit { dependency, message });
        }
    }
    Ok(())
}

/// Returns what is known about the imports and exports of a component, or `None` if nothing is.
fn side(
    planner: &mut Planner<'_>,
    component: &Component,
    wit: Option<&ComponentWit>,
) -> Result<Option<Side>, PlanError> {
    if let Some(wit) = wit {
        let (folder, world, origins) =
            (wit.tree.to_string(), wit.world.clone(), wit.origins.clone());
        return Ok(Some(Side::World { folder, origins, world }));
    }
    let Origin::Prebuilt { file } = &component.origin else { return Ok(None) };
    match super::take(planner, &[&file.value]).pop().transpose()? {
        Some(Source::File { digest, .. }) => Ok(Some(Side::Component { file: digest.to_string() })),
        _ => Ok(None),
    }
}

/// Returns what does not fit, as the end of a sentence, or an empty text if everything fits. The answer is
/// remembered by content.
fn misfit(planner: &Planner<'_>, importer: &Side, exporter: &Side) -> Result<String, PlanError> {
    let text = format!("fit 2 {} {importer:?} {exporter:?}", env!("CARGO_PKG_VERSION"));
    let key = cache::Digest::of(planner.store().function(), text.as_bytes());
    if let Some(known) = planner.store().memo(&key) {
        return Ok(known.text);
    }
    let errand = FitErrand { importer: importer.clone(), exporter: exporter.clone() };
    let limits = planner.worker_limits();
    let done = worker::run(errand, planner.store(), &limits, &Cancel::new())?;
    let memo = cache::Memo { tree: done.digest, text: done.text.clone() };
    planner.store().put_memo(&key, &memo)?;
    Ok(done.text)
}
