//! Tests of the pages that a developer sees in a browser: Debian's Chromium, driven by chromedriver over WebDriver
//! (<https://www.w3.org/TR/webdriver2/>).
//!
//! With `SCREENSHOTS=DIR`, pictures of the overlay and of the status page are written to that folder.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use super::client::ask;
use super::{Dev, PATIENCE, page, ready_made, tool};
use crate::harness::{Workspace, variable};

/// A browser without a window.
struct Browser {
    driver: Child,
    address: String,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("install `chromium-driver` and `chromium`: {error}"));
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("started successfully on port ")?;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        std::thread::spawn(move || lines.for_each(drop));
        let address = format!("127.0.0.1:{}", port.unwrap());
        let mut this = Self { driver, address, session: String::new(), _profile: profile };
        let folder = format!("--user-data-dir={}", this._profile.path().display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1280,1000",
            "--no-proxy-server",
            &folder,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments},
        }}});
        let made = this.call("POST", "/session", &wanted);
        this.session = made["sessionId"].as_str().unwrap().to_owned();
        this
    }

    /// Makes a request of WebDriver, and returns its value.
    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "POST" { body.to_string().into_bytes() } else { Vec::new() };
        let headers = [("content-type", "application/json")];
        let answer = ask(&self.address, method, path, &headers, &body).unwrap();
        let value: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(answer.status, 200, "{method} {path}: {value}");
        value["value"].clone()
    }

    #[track_caller]
    fn open(&self, url: &str) {
        self.call("POST", &format!("/session/{}/url", self.session), &json!({"url": url}));
    }

    /// Runs a script in the page.
    #[track_caller]
    fn script(&self, script: &str) -> Value {
        let body = json!({"script": script, "args": []});
        self.call("POST", &format!("/session/{}/execute/sync", self.session), &body)
    }

    /// Waits until a script returns true.
    #[track_caller]
    fn wait(&self, script: &str, dev: &Dev) {
        let until = Instant::now() + PATIENCE;
        while self.script(script) != Value::Bool(true) {
            let shown = || self.script("return document.documentElement.outerHTML");
            assert!(Instant::now() < until, "{script}\n{}\n{}", shown(), dev.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Chooses light or dark colours.
    fn colours(&self, scheme: &str) {
        let parameters = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        let body = json!({"cmd": "Emulation.setEmulatedMedia", "params": parameters});
        self.call("POST", &format!("/session/{}/goog/cdp/execute", self.session), &body);
    }

    /// Writes a picture of the page, if somebody wants to see it.
    fn picture(&self, name: &str) {
        let Some(folder) = variable("SCREENSHOTS").map(PathBuf::from) else { return };
        let image =
            self.call("GET", &format!("/session/{}/screenshot", self.session), &Value::Null);
        let image = base64::engine::general_purpose::STANDARD.decode(image.as_str().unwrap());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), image.unwrap()).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser with the session.
        let _ = ask(&self.address, "DELETE", &format!("/session/{}", self.session), &[], b"");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

const HEADING: &str = "(document.querySelector('h1') || {}).textContent";

#[test]
fn an_edit_is_seen_without_a_hand_on_the_browser() {
    let workspace = Workspace::fixture("dev");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/text", 200, "page-0000");
    let browser = Browser::start();
    browser.open(&format!("http://{}/", dev.address));
    browser.wait(&format!("return {HEADING} === 'page-0000'"), &dev);
    workspace.replace("src/lib.rs", "page-0000", "page-new1");
    browser.wait(&format!("return {HEADING} === 'page-new1'"), &dev);
    workspace.replace("src/lib.rs", "const NAME: &str", "const NAME: &<b>str");
    let overlay = "document.querySelector('run-dev-overlay')";
    browser.wait(&format!("return {overlay} !== null"), &dev);
    let text = browser.script(&format!("return {overlay}.shadowRoot.textContent"));
    let text = text.as_str().unwrap();
    assert!(text.contains("The build failed") && text.contains("&<b>str"), "{text}");
    assert_eq!(
        browser.script(&format!("return {HEADING}")),
        "page-new1",
        "the page is still there"
    );
    assert_eq!(
        browser.script(&format!("return {overlay}.shadowRoot.querySelectorAll('pre b').length")),
        0
    );
    browser.picture("overlay");
    workspace.replace("src/lib.rs", "const NAME: &<b>str", "const NAME: &str");
    browser.wait(&format!("return {overlay} === null"), &dev);
    // An overlay that was closed comes back with another error.
    workspace.replace("src/lib.rs", "const NAME: &str", "const NAME: str str");
    browser.wait(&format!("return {overlay} !== null"), &dev);
    browser.script(&format!("{overlay}.shadowRoot.querySelector('button').click()"));
    assert_eq!(browser.script(&format!("return {overlay} === null")), true);
    workspace.replace("src/lib.rs", "const NAME: str str", "const NAME: str str str");
    browser.wait(&format!("return {overlay} !== null"), &dev);
    browser.open(&format!("http://{}/_run", dev.address));
    browser.picture("status-failed");
    workspace.replace("src/lib.rs", "const NAME: str str str", "const NAME: &str");
    browser
        .wait("return document.querySelector('.state').textContent.includes('Up to date')", &dev);
    assert!(browser.script("return document.title").as_str().unwrap().starts_with('●'));
}

#[test]
fn the_status_page_keeps_itself_up_to_date() {
    let components = [
        ("api", page("page-0001"), ""),
        ("web", page("page-0002"), "route = \"/\""),
        ("tool", tool("tool-0001"), ""),
    ];
    let workspace = ready_made(&components, "");
    let dev = Dev::start(&workspace, &[]);
    dev.wait_for("/api/text", 200, "page-0001");
    let browser = Browser::start();
    browser.open(&format!("http://{}/_run", dev.address));
    let rows = "document.querySelectorAll('tbody tr').length";
    browser.wait(&format!("return {rows} > 0"), &dev);
    browser.script("window.mark = 1");
    for path in ["/", "/api/text", "/api/a\"&i", "/panic", "/nothing", "/api/print"] {
        dev.get(path);
    }
    browser.wait("return document.body.textContent.includes('/api/a\"&i')", &dev);
    browser.script("document.querySelector('details').open = true");
    workspace.write("api.wasm", page("page-0003"));
    let answer = dev.wait_for("/api/text", 200, "page-0003");
    let version = answer.header("x-run-version").unwrap();
    browser.wait(&format!("return document.body.textContent.includes('{version}')"), &dev);
    assert_eq!(
        browser.script("return document.querySelector('details').open"),
        true,
        "it stays open"
    );
    assert_eq!(browser.script("return window.mark"), 1, "the page was not loaded again");
    browser.script("document.querySelector('details').open = false");
    for scheme in ["light", "dark"] {
        browser.colours(scheme);
        browser.picture(&format!("status-{scheme}"));
    }
    let other = ready_made(&[("a", page("page-0001"), ""), ("b", page("page-0002"), "")], "");
    let dev = Dev::start(&other, &[]);
    dev.wait_for("/a/text", 200, "page-0001");
    browser.open(&format!("http://{}/", dev.address));
    browser.wait("return document.querySelectorAll('.routes a').length === 2", &dev);
    browser.picture("index");
    browser.open(&format!("http://{}/a/panic", dev.address));
    browser.wait("return document.body.textContent.includes('as it was asked to')", &dev);
    browser.picture("failed");
}
