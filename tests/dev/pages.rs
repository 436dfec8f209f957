//! The pages of the server itself, and the script in the pages of components.

use super::client::{Connection, ask, get};
use super::{Dev, page, ready_made};

/// Reads the first event `state` of a stream of events.
pub(crate) fn first_state(events: &mut Connection) -> serde_json::Value {
    events.listen("/_run/events").unwrap();
    loop {
        let chunk = String::from_utf8(events.chunk().unwrap()).unwrap();
        if let Some(data) = chunk.strip_prefix("event: state\ndata: ") {
            return serde_json::from_str(data.trim_end()).unwrap();
        }
    }
}

#[test]
fn only_pages_get_the_script() {
    let workspace = ready_made(&[("page", page("page-0001"), "")], "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0001");
    let html = dev.get("/");
    let version = dev.status()["version"].as_str().unwrap().to_owned();
    let script = format!("<script src=\"/_run/client.js\" data-version=\"{version}\"></script>");
    assert_eq!(
        html.text(),
        format!("<!doctype html><title>t</title><body><h1>page-0001</h1>{script}</body></html>\n")
    );
    assert_eq!(dev.get("/stream").text(), format!("<p>page-0001{script}</body>"));
    assert_eq!(dev.get("/text").text(), "page-0001");
    assert_eq!(dev.get("/gzip").body, b"\x1f\x8b</body>");
    let head = ask(&dev.address, "HEAD", "/", &[], b"").unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
    let post = ask(&dev.address, "POST", "/", &[], b"x").unwrap();
    assert!(!post.text().contains("<script"), "{}", post.text());
    let upgrade =
        get(&dev.address, "/text", &[("connection", "upgrade"), ("upgrade", "websocket")]);
    assert_eq!((upgrade.status, upgrade.text().as_str()), (200, "page-0001"));
}

#[test]
fn the_status_page_tells_everything_and_escapes_it() {
    let components = [("one", page("page-0001"), ""), ("two", page("page-0002"), "")];
    let workspace = ready_made(&components, "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/one/text", 200, "page-0001");
    get(&dev.address, "/one/\"onload=\"alert(1)", &[]);
    let status = dev.browse("/_run");
    assert_eq!(status.status, 200);
    let text = status.text();
    for part in [
        "one",
        "two",
        "http-server",
        "stdio",
        "ready-made",
        "Last build",
        "/one/&quot;onload=&quot;alert(1)",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(!text.contains("\"alert"), "{text}");
    assert!(status.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert_eq!(status.header("access-control-allow-origin"), None);
    let json = dev.status();
    assert_eq!(json["project"], "pages");
    assert_eq!(json["components"][0]["route"], "/one");
    assert!(json["components"][1]["digest"].as_str().unwrap().len() > 40, "{json}");
    assert_eq!(json["last_build"]["success"], true);
    assert_eq!(json["recent_requests"][0]["component"], "one");
    for own in ["/_run/", "/_run/page.css", "/_run/client.js", "/_run/status.js", "/_run?part=main"]
    {
        assert_eq!(dev.get(own).status, 200, "{own}");
    }
    assert_eq!(dev.get("/_run/none").status, 404);
    assert_eq!(dev.get("/_running").status, 404, "no component has a route for it");
    assert_eq!(ask(&dev.address, "POST", "/_run", &[], b"x").unwrap().status, 405);
}

#[test]
fn other_sites_learn_nothing() {
    let workspace = ready_made(&[("page", page("page-0001"), "")], "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0001");
    let port = dev.address.rsplit_once(':').unwrap().1;
    let status = |headers: &[(&str, &str)]| get(&dev.address, "/_run/status.json", headers).status;
    assert_eq!(status(&[("host", "evil.example")]), 403);
    assert_eq!(status(&[("host", &format!("evil.example:{port}"))]), 403);
    assert_eq!(status(&[("host", &format!("localhost:{port}"))]), 200);
    assert_eq!(status(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")]), 403);
    for path in ["/_run", "/_run/events", "/_run/client.js"] {
        assert_eq!(get(&dev.address, path, &[("host", "evil.example")]).status, 403, "{path}");
    }
}

#[test]
fn a_trap_is_a_page_and_costs_one_request() {
    let workspace = ready_made(&[("page", page("page-0001"), "")], "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0001");
    let plain = dev.get("/panic");
    assert_eq!(
        (plain.status, plain.header("content-type")),
        (500, Some("text/plain; charset=utf-8"))
    );
    assert!(plain.text().contains("as it was asked to"), "{}", plain.text());
    let html = dev.browse("/panic");
    assert_eq!(html.status, 500);
    assert!(
        html.text().contains("page failed") && html.text().contains("as it was asked to"),
        "{}",
        html.text()
    );
    assert_eq!(dev.get("/text").text(), "page-0001");
    let json = dev.status();
    assert_eq!(json["requests"]["failed"], 2);
    assert!(json["recent_errors"][0]["text"].as_str().unwrap().contains("unreachable"), "{json}");
}

#[test]
fn pages_hear_of_a_new_version() {
    let workspace = ready_made(&[("page", page("page-0001"), "")], "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0001");
    let mut events = Connection::open(&dev.address).unwrap();
    let before = first_state(&mut events);
    assert_eq!(before["problems"].as_array().unwrap().len(), 0);
    workspace.write("page.wasm", page("page-0002"));
    loop {
        let chunk = String::from_utf8(events.chunk().unwrap()).unwrap();
        if let Some(data) = chunk.strip_prefix("event: state\ndata: ") {
            let state: serde_json::Value = serde_json::from_str(data.trim_end()).unwrap();
            if state["version"] != before["version"] {
                assert_eq!(state["version"], dev.status()["version"]);
                break;
            }
        }
    }
}
