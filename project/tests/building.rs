//! Tests planning and building: at first, after a change, and with a file that is not a component.

use std::fs;
use std::sync::Arc;

use engine::{Events, Exported, Fate, Status};
use project::{Built, Error, Suspects};

use crate::harness::{Log, Workspace, component};

crate::tests![
    ready_made_components_are_planned_and_built,
    what_is_made_no_longer_is_removed,
    a_failed_action_leads_to_its_component,
    an_unfinished_build_is_an_error_for_those_who_need_it,
];

/// Opens the project, plans it and builds it. Also returns how its actions ended.
fn build(workspace: &Workspace) -> (Built, Vec<String>) {
    let builder = workspace.builder();
    let mut state = builder.project.state(&builder.store).unwrap();
    let log = Arc::new(Log::default());
    let events: Arc<dyn Events> = log.clone();
    let mut planned = builder.plan(&mut state, &events).unwrap();
    builder.check_promises(&planned.plan).unwrap();
    let built = builder.build(&mut planned, &mut state, &events).unwrap();
    assert!(built.untidy.is_none(), "{:?}", built.untidy);
    (built, log.take())
}

fn ready_made_components_are_planned_and_built() {
    let workspace = Workspace::with(&["a", "b"]);
    let (built, log) = build(&workspace);
    assert_eq!(built.outcome.status, Status::Succeeded);
    assert_eq!(log, ["a:finish ran", "b:finish ran"]);
    for name in ["a", "b"] {
        let written = fs::read(workspace.path(&format!("target/wasm/{name}.wasm"))).unwrap();
        assert_eq!(written, component(name));
    }
    // A build with nothing to do has only hits.
    let (built, log) = build(&workspace);
    assert_eq!(log, ["a:finish hit", "b:finish hit"]);
    assert_eq!(built.outcome.exports, [Some(Exported::Untouched); 2]);
    workspace.write("b.wasm", component("other"));
    let (_, log) = build(&workspace);
    assert_eq!(log, ["a:finish hit", "b:finish ran"]);
    assert_eq!(fs::read(workspace.path("target/wasm/b.wasm")).unwrap(), component("other"));
}

fn what_is_made_no_longer_is_removed() {
    let workspace = Workspace::with(&["a", "b", "c"]);
    build(&workspace);
    workspace.write("target/wasm/c.wasm", "changed by hand");
    workspace.declare(&["a"]);
    let (built, _) = build(&workspace);
    let builder = workspace.builder();
    let mut state = builder.project.state(&builder.store).unwrap();
    let current = built.exports.iter().map(|export| export.to.as_path());
    let former = builder.project.remove_former(state.outputs(), current).unwrap();
    let [b, c] = former.as_slice() else { panic!("{former:?}") };
    assert!(matches!(b.fate, Fate::Removed) && b.path == workspace.path("target/wasm/b.wasm"));
    assert!(matches!(c.fate, Fate::Changed) && c.path.exists());
    assert!(!b.path.exists() && workspace.path("target/wasm/a.wasm").exists());
}

fn a_failed_action_leads_to_its_component() {
    let workspace = Workspace::with(&["good", "bad"]);
    workspace.write("bad.wasm", "this is no component");
    let builder = workspace.builder();
    let mut state = builder.project.state(&builder.store).unwrap();
    let events: Arc<dyn Events> = Arc::new(Log::default());
    let mut planned = builder.plan(&mut state, &events).unwrap();
    let built = builder.build(&mut planned, &mut state, &events).unwrap();
    assert_eq!(built.outcome.status, Status::Failed);
    let suspects = Suspects::new(&planned.plan, &builder.project.folder);
    let [failure] = built.outcome.failures.as_slice() else { panic!("{:?}", built.outcome) };
    let suspect = suspects.find(&failure.label).unwrap();
    assert_eq!((suspect.component, suspect.line), ("bad", 7));
    assert!(suspects.find(&engine::Label::new("toolchain", "rust")).is_none());
    assert_eq!(built.outcome.exports[0], Some(Exported::Written), "it went on with the other");
}

fn an_unfinished_build_is_an_error_for_those_who_need_it() {
    let workspace = Workspace::with(&["a"]);
    let builder = workspace.builder();
    let mut state = builder.project.state(&builder.store).unwrap();
    let events: Arc<dyn Events> = Arc::new(Log::default());
    let mut planned = builder.plan(&mut state, &events).unwrap();
    builder.cancel.cancel();
    let built = builder.build(&mut planned, &mut state, &events).unwrap();
    let error = built.into_success().unwrap_err();
    let is_stopped =
        matches!(&error, Error::NotBuilt(outcome) if outcome.status == Status::Interrupted);
    assert!(is_stopped, "{error:?}");
}
