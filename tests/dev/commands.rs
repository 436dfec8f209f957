//! Commands run beside the server, and again when they change.

use super::{Dev, page, ready_made, tool};

#[test]
fn a_command_is_run_again_when_it_changes() {
    let components = [("page", page("page-0001"), ""), ("tool", tool("tool-0001"), "")];
    let workspace = ready_made(&components, "");
    workspace.replace(
        "run.toml",
        "name = \"tool\"\npath = \"tool.wasm\"\ncapabilities = [\"http-server\", \"stdio\"]",
        "name = \"tool\"\npath = \"tool.wasm\"\ncapabilities = [\"stdio\"]",
    );
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0001");
    dev.wait_until_said("tool | tool-0001 runs");
    dev.wait_until_said("tool | ended with status 0");
    let runs = |text: &str| dev.said().matches(text).count();
    workspace.write("page.wasm", page("page-0002"));
    dev.wait_for("/text", 200, "page-0002");
    assert_eq!(runs("tool-0001 runs"), 1, "an edit of another component does not concern it");
    workspace.write("tool.wasm", tool("tool-0002"));
    dev.wait_until_said("tool | tool-0002 runs");
    let status = dev.wait("its end", || {
        let status = dev.status();
        (status["components"][1]["state"] == "exited with status 0").then_some(status)
    });
    assert_eq!(status["components"][1]["role"], "command");
}
