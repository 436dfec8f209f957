//! Tests the comparison of builds.

use std::sync::Arc;

use engine::{Events, Status};
use project::{Built, Compare, Comparison, Error, Machine, Observer};
use rules::plan::Plan;

use crate::harness::{Log, Workspace, component};

crate::tests![
    what_stays_the_same_is_told_from_what_does_not,
    a_build_that_fails_is_not_compared,
    a_project_that_breaks_in_the_meantime_is_an_error,
];

/// The time of the comparisons in these tests, in seconds since 1970.
const NOW: u64 = 1_700_000_000;

/// Records the calls of a comparison, and does something before the build on the second machine.
struct Notes<'a> {
    told: Vec<String>,
    before_the_last: &'a dyn Fn(),
}

impl Observer for Notes<'_> {
    fn begin(&mut self, machine: Option<&Machine>) -> Arc<dyn Events> {
        let number = machine.map_or(0, |machine| machine.number);
        let days = machine.map_or(0, |machine| (machine.sees.determinism.epoch - NOW) / 86_400);
        self.told.push(format!("machine {number}, {days} days ahead"));
        if number == 2 {
            (self.before_the_last)();
        }
        Arc::new(Log::default())
    }

    fn end(&mut self, plan: &Plan, built: &Built) {
        let components = plan.components.len();
        let exports = built.exports.len();
        let status = built.outcome.status;
        self.told.push(format!("{status:?}: {components} components, {exports} exports"));
    }
}

fn compare(
    workspace: &Workspace,
    before_the_last: &dyn Fn(),
) -> (Result<Comparison, Error>, Vec<String>) {
    let builder = workspace.builder();
    let mut notes = Notes { told: Vec::new(), before_the_last };
    let compare = Compare { builder: &builder, now: NOW, copies: workspace.temporary() };
    (compare.run(&mut notes), notes.told)
}

fn what_stays_the_same_is_told_from_what_does_not() {
    let workspace = Workspace::with(&["a", "b"]);
    let (comparison, told) = compare(&workspace, &|| {});
    let Comparison { verdicts, looked_for } = comparison.unwrap();
    assert!(verdicts.iter().all(project::Verdict::is_same), "{verdicts:?}");
    assert!(looked_for.is_empty(), "{looked_for:?}");
    let expected = [
        "machine 0, 0 days ahead",
        "Succeeded: 2 components, 2 exports",
        "machine 1, 1 days ahead",
        "Succeeded: 2 components, 0 exports",
        "machine 2, 2 days ahead",
        "Succeeded: 2 components, 0 exports",
    ];
    assert_eq!(told, expected);

    // One component changes before the build on the last machine.
    let (comparison, _) =
        compare(&workspace, &|| workspace.write("b.wasm", component("something else")));
    let verdicts = comparison.unwrap().verdicts;
    let [a, b] = verdicts.as_slice() else { panic!("{verdicts:?}") };
    assert!(a.is_same() && !b.is_same() && b.others.len() == 1, "{verdicts:?}");
    let store = workspace.builder().store;
    assert!(a.examine(&store).unwrap().is_none());
    let two = b.examine(&store).unwrap().unwrap();
    assert_eq!((two.first, two.again), (component("b"), component("something else")));
    assert!(!two.differences.is_empty());
    // No file is written for the user, and no copy is left.
    assert!(!workspace.path(".run/verify").exists());
    let left = std::fs::read_dir(workspace.temporary()).unwrap().count();
    assert_eq!(left, 2, "the project and the store");
}

fn a_build_that_fails_is_not_compared() {
    let workspace = Workspace::with(&["a"]);
    let break_it = || workspace.write("a.wasm", "this is no component");
    let (comparison, told) = compare(&workspace, &break_it);
    let error = comparison.unwrap_err();
    let is_failed = matches!(&error, Error::NotBuilt(outcome) if outcome.status == Status::Failed);
    assert!(is_failed, "{error:?}");
    assert_eq!(told.last().unwrap(), "Failed: 1 components, 0 exports");
}

fn a_project_that_breaks_in_the_meantime_is_an_error() {
    let workspace = Workspace::with(&["a"]);
    let (comparison, told) = compare(&workspace, &|| workspace.write("run.toml", "[project"));
    assert!(matches!(comparison, Err(Error::Manifest(_))), "{comparison:?}");
    assert_eq!(told.last().unwrap(), "machine 2, 2 days ahead");
}
