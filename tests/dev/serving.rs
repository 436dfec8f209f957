//! Tests of serving: addresses, routes, logs, and the end.

use std::time::Duration;

use rustix::process::Signal;

use super::client::ask;
use super::{Dev, page, ready_made, tool};
use crate::harness::Workspace;

#[test]
fn one_component_is_served_at_the_root() {
    let workspace = ready_made(&[("page", page("page-0001"), "")], "");
    let dev = Dev::start(&workspace, &[]);
    assert!(dev.address.starts_with("127.0.0.1:"), "{}", dev.address);
    let answer = dev.wait_for("/text", 200, "page-0001");
    assert_eq!(answer.text(), "page-0001");
    assert_eq!(answer.header("x-run-component"), Some("page"));
    assert_eq!(answer.header("x-run-version").unwrap().len(), 12);
    assert_eq!(answer.header("x-run-stale"), None);
    assert_eq!(dev.get("/a/b?c=d").text(), "/a/b?c=d below ");
    dev.wait_until_said("GET /a/b?c=d 200 in ");
    dev.get("/print");
    dev.wait_until_said("page | page-0001 prints");
    assert!(
        dev.said().contains(&format!("Serving page at http://{}/", dev.address)),
        "{}",
        dev.said()
    );
    let (code, took) = dev.stop(Signal::INT);
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(1), "it took {took:?} to stop");
}

#[test]
fn several_components_have_routes() {
    let components = [
        ("one", page("page-0001"), ""),
        ("two", page("page-0002"), ""),
        ("three", page("page-0003"), "route = \"/deep/er\""),
    ];
    let workspace = ready_made(&components, "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/one/text", 200, "page-0001");
    assert_eq!(dev.get("/two/text").text(), "page-0002");
    assert_eq!(dev.get("/deep/er/text").text(), "page-0003");
    assert_eq!(dev.get("/deep/er/x?y").text(), "/x?y below /deep/er");
    assert_eq!(dev.get("/one").header("x-run-component"), Some("one"));
    assert_eq!(dev.get("/three/text").status, 404);
    let index = dev.browse("/");
    assert_eq!(index.status, 200);
    for link in ["href=\"/one/\"", "href=\"/two/\"", "href=\"/deep/er/\""] {
        assert!(index.text().contains(link), "{}", index.text());
    }
    let lost = dev.browse("/three/\"&b");
    assert_eq!(lost.status, 404);
    assert!(lost.text().contains("<code>/three/&quot;&amp;b</code>"), "{}", lost.text());
}

#[test]
fn a_restart_compiles_nothing() {
    let workspace = ready_made(&[("page", page("page-0777"), "")], "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0777");
    drop(dev);
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0777");
    assert!(!dev.said().contains("Running "), "{}", dev.said());
}

#[test]
fn code_that_another_key_has_sealed_is_not_run() {
    let workspace = ready_made(&[("page", page("page-0778"), "")], "").private_store();
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0778");
    drop(dev);
    let home = workspace.store().parent().unwrap().to_owned();
    let mut files = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path());
    let key = files.find(|path| path.extension().is_some_and(|it| it == "key")).unwrap();
    std::fs::write(&key, [7; 32]).unwrap();
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0778");
    assert!(dev.said().contains("Running page:machine code"), "{}", dev.said());
}

#[test]
fn what_cannot_be_served_is_an_error() {
    Workspace::new().run(["dev"]).exits(2).says("run.toml");
    let workspace = ready_made(&[("page", page("page-0001"), "")], "[dev]\nport = 70000\n");
    workspace.run(["dev"]).exits(2).says("`70000` is not a port");
    let twice =
        [("a", page("page-0001"), "route = \"/x\""), ("b", page("page-0001"), "route = \"/x/\"")];
    ready_made(&twice, "").run(["dev"]).exits(2).says("two components have the route `/x`");
    let workspace = ready_made(&[("page", page("page-0001"), "")], "");
    workspace.run(["dev", "pag"]).exits(2).says("page");
    let dev = Dev::start(&workspace, &[]);
    let port = dev.address.rsplit_once(':').unwrap().1;
    let second = workspace.run(["dev", "--port", port]).exits(36);
    second.says("cannot listen on 127.0.0.1:").says("--port 0");
}

#[test]
fn the_json_format_has_the_address_first() {
    let workspace = ready_made(&[("page", page("page-0001"), "")], "");
    let mut process = workspace.spawn(&["dev", "--port", "0", "--message-format", "json"]);
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(process.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    let first: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(first["event"], "serving");
    assert!(first["url"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{line}");
}

#[test]
fn an_end_in_the_middle_of_everything_leaves_nothing_behind() {
    let components =
        [("page", page("page-0001"), "route = \"/\""), ("tool", tool("tool-0001"), "")];
    let workspace = ready_made(&components, "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0001");
    let address = dev.address.clone();
    // A request that never ends, and a page that listens.
    let waiting = [("/loop", "GET"), ("/_run/events", "GET")].map(|(path, method)| {
        let address = address.clone();
        std::thread::spawn(move || ask(&address, method, path, &[], b""))
    });
    std::thread::sleep(Duration::from_millis(200));
    let id = dev.id();
    let (code, took) = dev.stop(Signal::TERM);
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(1), "it took {took:?} to stop");
    for thread in waiting {
        let _ = thread.join().unwrap();
    }
    let group = rustix::process::Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    let left = rustix::process::test_kill_process_group(group);
    assert!(left.is_err(), "its process group has members left");
}

#[test]
fn what_is_denied_is_told_with_the_line_that_grants_it() {
    let workspace = ready_made(&[("page", page("page-0779"), "")], "");
    workspace.replace("run.toml", ", \"stdio\"", "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0779");
    dev.get("/print");
    let advice = "to grant it, add \"stdio\" to `capabilities` at run.toml:";
    dev.wait_until_said(&format!("{advice}5"));
    // The line is that of the file as it is now.
    workspace.replace("run.toml", "[project]\n", "# A comment.\n[project]\n");
    workspace.write("page.wasm", page("page-0780"));
    dev.wait_for("/text", 200, "page-0780");
    dev.get("/print");
    dev.wait_until_said(&format!("{advice}6"));
}
