//! `dependencies` of a component: what a sibling exports has to be what the component imports.
//!
//! Held against each other are the worlds, not the built components: what a component exports is checked
//! against its own world when it is built, and a compiler leaves out imports that are not used. So it is
//! known before anything runs, and whichever of the two is built. A ready-made component without `wit` is
//! read itself. Where a component that is compiled has no world, nothing is known of it.

use engine::Source;
use sandbox::Cancel;

use super::{PlanError, Planner};
use crate::lang::ComponentWit;
use crate::manifest::{Component, Origin};
use crate::wasm::{FitErrand, Side};
use crate::worker::{self, Errand};

/// Checks what `component` depends on against its world.
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

/// What is known of a component's imports and exports.
fn side(
    planner: &mut Planner<'_>,
    component: &Component,
    wit: Option<&ComponentWit>,
) -> Result<Option<Side>, PlanError> {
    if let Some(wit) = wit {
        let (folder, world, place) =
            (wit.tree.to_string(), wit.world.clone(), wit.place.to_string());
        return Ok(Some(Side::World { folder, place, world }));
    }
    let Origin::Prebuilt { file } = &component.origin else { return Ok(None) };
    match super::ready_made(planner, &file.value)? {
        Source::File { digest, .. } => Ok(Some(Side::Component { file: digest.to_string() })),
        _ => Ok(None),
    }
}

/// What does not fit, as the end of a sentence; empty if all does. Remembered by content.
fn misfit(planner: &Planner<'_>, importer: &Side, exporter: &Side) -> Result<String, PlanError> {
    let text = format!("fit 1 {} {importer:?} {exporter:?}", env!("CARGO_PKG_VERSION"));
    let key = cache::Digest::of(planner.store().function(), text.as_bytes());
    if let Some((_, message)) = crate::memo::recall(planner.store(), &key)? {
        return Ok(message);
    }
    let errand = FitErrand { importer: importer.clone(), exporter: exporter.clone() };
    let limits = planner.worker_limits();
    let done = worker::run(Errand::Fit(errand), planner.store(), &limits, &Cancel::new())?;
    crate::memo::remember(planner.store(), &key, &done.digest, &done.text)?;
    Ok(done.text)
}
