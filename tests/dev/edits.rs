//! Tests of edits: new versions are swapped in, failures keep the old one, and nothing is lost.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::client::Connection;
use super::{Dev, page, ready_made};
use crate::harness::Workspace;

#[test]
fn an_edit_is_served_and_a_touch_does_nothing() {
    let workspace = ready_made(&[("page", page("page-0001"), "")], "");
    let dev = Dev::start(&workspace, &[]);
    let first = dev.wait_for("/text", 200, "page-0001");
    workspace.write("page.wasm", page("page-0002"));
    let second = dev.wait_for("/text", 200, "page-0002");
    assert_ne!(first.header("x-run-version"), second.header("x-run-version"));
    dev.wait_until_said("Reloaded page in ");
    let builds = dev.status()["builds"].clone();
    let said = dev.said().lines().filter(|line| !line.contains(" GET ")).count();
    workspace.write("page.wasm", page("page-0002"));
    workspace.write("notes.txt", "not a source");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(dev.status()["builds"], builds);
    let after = dev.said();
    assert_eq!(after.lines().filter(|line| !line.contains(" GET ")).count(), said, "{after}");
}

#[test]
fn source_code_is_compiled_again_and_errors_are_shown() {
    let workspace = Workspace::fixture("dev");
    let dev = Dev::start(&workspace, &["page"]);
    dev.wait_for("/text", 200, "page-0000");
    workspace.replace("src/lib.rs", "page-0000", "page-new1");
    dev.wait_for("/text", 200, "page-new1");
    workspace.replace("src/lib.rs", "const NAME", "const <b>NAME");
    let stale = dev.wait("a stale answer", || {
        let answer = dev.get("/text");
        answer.header("x-run-stale").is_some().then_some(answer)
    });
    assert_eq!((stale.status, stale.text().as_str()), (200, "page-new1"));
    assert_eq!(stale.header("x-run-stale"), Some("build failed"));
    dev.wait_until_said("src/lib.rs:");
    // The page gets the script, and the script the message.
    assert!(dev.browse("/").text().contains("<script src=\"/_run/client.js\""));
    let mut events = Connection::open(&dev.address).unwrap();
    let state = super::pages::first_state(&mut events);
    let html = state["problems"][0]["html"].as_str().unwrap();
    assert!(html.contains("const &lt;b&gt;NAME") && !html.contains("<b>"), "{html}");
    assert!(html.contains("<span class="), "the colours are kept: {html}");
    assert!(dev.browse("/_run").text().contains("Build failed"));
    workspace.replace("src/lib.rs", "const <b>NAME", "const NAME");
    dev.wait("the mended version", || {
        dev.get("/text").header("x-run-stale").is_none().then_some(())
    });
    assert_eq!(dev.status()["complaints"].as_array().unwrap().len(), 0);
    dev.wait_until_said("Mended");
}

#[test]
fn a_first_build_that_fails_is_a_page_that_waits() {
    let workspace = ready_made(&[("page", b"no component".to_vec(), "")], "");
    let dev = Dev::start(&workspace, &[]);
    let answer = dev.wait("the failure", || {
        let answer = dev.browse("/");
        answer.text().contains("The build failed").then_some(answer)
    });
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("not a WebAssembly binary"), "{}", answer.text());
    assert!(answer.text().contains("/_run/client.js"), "{}", answer.text());
    let plain = dev.get("/");
    assert_eq!(
        (plain.status, plain.header("content-type")),
        (503, Some("text/plain; charset=utf-8"))
    );
    workspace.write("page.wasm", page("page-0003"));
    dev.wait_for("/text", 200, "page-0003");
}

#[test]
fn run_toml_is_followed() {
    let workspace = ready_made(&[("page", page("page-0001"), "")], "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0001");
    let before = workspace.read_text("run.toml");
    workspace.write("more.wasm", page("page-0002"));
    let more = "\n[[component]]\nname = \"more\"\npath = \"more.wasm\"\ncapabilities = [\"http-server\"]\n";
    workspace.write("run.toml", format!("{before}{more}"));
    dev.wait_for("/more/text", 200, "page-0002");
    dev.wait_for("/page/text", 200, "page-0001");
    workspace.write("run.toml", format!("{before}{more}capabilites = 1\n"));
    dev.wait_until_said("unknown key `capabilites`");
    let stale = dev.wait("a stale answer", || {
        let answer = dev.get("/more/text");
        answer.header("x-run-stale").is_some().then_some(answer)
    });
    assert_eq!(stale.text(), "page-0002");
    workspace.write("run.toml", before);
    dev.wait_for("/text", 200, "page-0001");
    assert_eq!(dev.get("/text").header("x-run-stale"), None);
}

#[test]
fn one_broken_component_does_not_hold_up_the_others() {
    let components = [("good", page("page-0001"), ""), ("bad", b"nothing".to_vec(), "")];
    let workspace = ready_made(&components, "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/good/text", 200, "page-0001");
    assert_eq!(dev.get("/bad/text").status, 503);
    workspace.write("good.wasm", page("page-0002"));
    dev.wait_for("/good/text", 200, "page-0002");
    workspace.write("bad.wasm", page("page-0003"));
    dev.wait_for("/bad/text", 200, "page-0003");
}

#[test]
fn hot_reload_can_be_turned_off() {
    let workspace = ready_made(&[("page", page("page-0001"), "")], "[dev]\nhot_reload = false\n");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0001");
    assert!(!dev.browse("/").text().contains("/_run/client.js"));
    workspace.write("page.wasm", page("page-0002"));
    let stale = dev.wait("an answer that says so", || {
        let answer = dev.get("/text");
        answer.header("x-run-stale").is_some().then_some(answer)
    });
    assert_eq!(stale.text(), "page-0001");
    assert_eq!(stale.header("x-run-stale"), Some("restart to serve the last build"));
    dev.wait_until_said("hot_reload is false");
    workspace.replace("run.toml", "false", "true");
    dev.wait_for("/text", 200, "page-0002");
}

#[test]
fn files_that_components_read_reload_pages() {
    let workspace =
        ready_made(&[("page", page("page-0001"), "")], "[dev]\nwatch = [\"data/**\"]\n");
    workspace.write("data/a.txt", "1");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0001");
    let version = dev.status()["version"].clone();
    workspace.write("data/a.txt", "1");
    workspace.write("other.txt", "1");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(dev.status()["version"], version, "a touch is no change");
    workspace.write("data/a.txt", "2");
    dev.wait("another version", || (dev.status()["version"] != version).then_some(()));
    dev.wait_until_said("Changed data/a.txt");
}

#[test]
fn fifty_swaps_lose_no_request() {
    const SWAPS: usize = 50;
    let workspace = ready_made(&[("page", page("page-0000"), "")], "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0000");
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let ask = |keeps: bool| {
            let mut connection = Connection::open(&dev.address).unwrap();
            while !stop.load(Ordering::Relaxed) {
                if !keeps {
                    connection = Connection::open(&dev.address).unwrap();
                }
                let answer = connection.ask("GET", "/text", &[], b"").unwrap();
                assert_eq!(answer.status, 200);
                assert!(answer.text().starts_with("page-"), "{}", answer.text());
                answered.fetch_add(1, Ordering::Relaxed);
            }
        };
        let clients = [true, true, false].map(|keeps| scope.spawn(move || ask(keeps)));
        let began = Instant::now();
        for number in 1..=SWAPS {
            let name = format!("page-{number:04}");
            workspace.write("page.wasm", page(&name));
            dev.wait_for("/text", 200, &name);
        }
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
        eprintln!(
            "{SWAPS} swaps in {:?}, {} requests",
            began.elapsed(),
            answered.load(Ordering::Relaxed)
        );
    });
    assert!(
        answered.load(Ordering::Relaxed) > SWAPS,
        "the clients asked while versions were swapped"
    );
    assert_eq!(dev.status()["requests"]["failed"], 0);
}

#[test]
fn a_newer_edit_overtakes_a_build() {
    let workspace = Workspace::fixture("dev");
    let dev = Dev::start(&workspace, &["page"]);
    dev.wait_for("/text", 200, "page-0000");
    for number in 0..8 {
        workspace.write(
            "src/lib.rs",
            workspace.read_text("src/lib.rs").replace(
                &format!("const NAME: &str = \"page-{number:04}\""),
                &format!("const NAME: &str = \"page-{:04}\"", number + 1),
            ),
        );
        std::thread::sleep(Duration::from_millis(120));
    }
    dev.wait_for("/text", 200, "page-0008");
    assert_eq!(dev.get("/text").header("x-run-stale"), None);
}
