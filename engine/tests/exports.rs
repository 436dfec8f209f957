//! Stories of outputs in the user's own folder.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Duration;

use engine::{BuildError, Exported, Graph};

use crate::harness::{Workspace, closure, join};

crate::tests![
    an_untouched_file_is_left_alone,
    an_overwritten_file_is_repaired,
    what_the_user_does_to_a_file_does_not_reach_the_store,
    a_new_result_replaces_the_file,
    a_folder_is_no_file,
    an_unknown_output_is_refused_before_anything_runs,
    a_target_that_cannot_be_written_is_named,
];

fn graph(text: &str) -> Graph {
    let mut graph = Graph::new();
    join(&mut graph, "a", text, &[]);
    graph
}

fn exported(workspace: &Workspace, graph: &Graph) -> Exported {
    let to = workspace.path("target/wasm/a.wasm");
    workspace.build(graph).export("a", &to).run().ok().exports[0].unwrap()
}

fn an_untouched_file_is_left_alone() {
    let workspace = Workspace::new();
    let (graph, to) = (graph("text"), workspace.path("target/wasm/a.wasm"));
    assert_eq!(exported(&workspace, &graph), Exported::Written);
    let inode = to.metadata().unwrap().ino();
    for _ in 0..2 {
        assert_eq!(exported(&workspace, &graph), Exported::Untouched);
    }
    assert_eq!(to.metadata().unwrap().ino(), inode);
    // After this time, the stat of the file can be trusted, so it is not read again.
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(exported(&workspace, &graph), Exported::Untouched);
    let state = workspace.state();
    assert!(state.exported(&to).unwrap().is_untouched(&to));
    fs::write(&to, "text").unwrap();
    assert!(!state.exported(&to).unwrap().is_untouched(&to), "same bytes, but somebody wrote them");
    assert_eq!(exported(&workspace, &graph), Exported::Untouched);
}

fn an_overwritten_file_is_repaired() {
    let workspace = Workspace::new();
    let (graph, to) = (graph("text"), workspace.path("target/wasm/a.wasm"));
    exported(&workspace, &graph);
    let check = |change: &dyn Fn()| {
        std::thread::sleep(Duration::from_millis(30));
        exported(&workspace, &graph);
        change();
        assert_eq!(exported(&workspace, &graph), Exported::Written);
        assert_eq!(fs::read_to_string(&to).unwrap(), "text");
        assert_eq!(exported(&workspace, &graph), Exported::Untouched);
    };
    check(&|| fs::write(&to, "TEXT").unwrap());
    check(&|| fs::remove_file(&to).unwrap());
    check(&|| fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).unwrap());
    check(&|| {
        let modified = to.metadata().unwrap().modified().unwrap();
        fs::write(&to, "tEXt").unwrap();
        fs::File::options().write(true).open(&to).unwrap().set_modified(modified).unwrap();
    });
}

fn what_the_user_does_to_a_file_does_not_reach_the_store() {
    let workspace = Workspace::new();
    let (graph, to) = (graph("text"), workspace.path("target/wasm/a.wasm"));
    let ran = workspace.build(&graph).export("a", &to).run();
    fs::write(&to, "mine").unwrap();
    assert_eq!(workspace.text(ran.artifact(&graph, "a")), "text");
}

fn a_new_result_replaces_the_file() {
    let workspace = Workspace::new();
    let to = workspace.path("target/wasm/a.wasm");
    exported(&workspace, &graph("one"));
    assert_eq!(exported(&workspace, &graph("two")), Exported::Written);
    assert_eq!(fs::read_to_string(&to).unwrap(), "two");
    assert_eq!(exported(&workspace, &graph("one")), Exported::Written);
    assert_eq!(fs::read_to_string(&to).unwrap(), "one");
}

fn a_folder_is_no_file() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    closure(&mut graph, "a", ("", &[]), |cx| {
        fs::create_dir(cx.out()?.join("o")).unwrap();
        Ok(())
    });
    let ran = workspace.build(&graph).export("a", &workspace.path("a")).run();
    let expect = "`o` of `a:step` is a folder, only files can be exported";
    assert_eq!(ran.outcome.unwrap_err().to_string(), expect);
}

fn an_unknown_output_is_refused_before_anything_runs() {
    let workspace = Workspace::new();
    let mut graph = Graph::new();
    let a = join(&mut graph, "a", "text", &[]);
    let exports = [engine::Export { action: a, output: "p".to_owned(), to: workspace.path("p") }];
    let ran = workspace.build(&graph).exports(&exports).run();
    assert_eq!(ran.outcome.unwrap_err().to_string(), "`a:step` has no output `p`");
}

fn a_target_that_cannot_be_written_is_named() {
    let workspace = Workspace::new();
    let file = workspace.write("target", "a file where the folder should be");
    let to = file.join("a.wasm");
    let ran = workspace.build(&graph("text")).export("a", &to).run();
    let error = ran.outcome.unwrap_err();
    assert_eq!(error.to_string(), format!("can't write `{}`", to.display()));
    assert!(matches!(error, BuildError::Export(_)));
    let again = workspace.build(&graph("text")).of(&["a"]).run();
    assert_eq!(again.ends(), "a known", "what was done is not forgotten");
}
