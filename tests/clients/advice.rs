//! Tests the advice that is given when a client of a registry fails, and that it helps.

use super::registry::{Pins, Server, write_project};
use crate::harness::Workspace;

#[test]
fn a_cargo_that_is_missing_or_that_needs_a_proxy_which_the_checkout_names() {
    // The Rust toolchain comes from the ordinary registries.
    drop(Workspace::built("hello"));
    let workspace = Workspace::new();
    // The registry's name can't be resolved. This server acts as the proxy for it, so it gets requests with
    // the whole address.
    let (folder, url) = (workspace.root().join("registries"), "http://registry.invalid");
    let server = Server::of(&folder);
    std::fs::create_dir_all(folder.join("http:")).unwrap();
    std::os::unix::fs::symlink("..", folder.join("http:/registry.invalid")).unwrap();
    write_project(&workspace, "app", &Pins::make(&folder, url));
    let workspace = workspace.with_registries(url).env("CARGO_NET_RETRY", "0");

    let workspace = workspace.env("PATH", "/usr/bin:/bin");
    let build = ["-C", "app", "build", "rust"];
    workspace.run(build).exits(1).says("install Rust with rustup: its cargo fetches the crates");
    let workspace = workspace.without_env("PATH");

    let proxy = format!("[http]\nproxy = \"{}\"\n", server.url);
    workspace.write("app/.cargo/config.toml", &proxy);
    let failed = workspace.run(build).exits(1);
    let failed = failed.says("`http.proxy` was left out: if it is needed, set it in Cargo's home");
    assert!(failed.stderr.contains("registry.invalid"), "{}", failed.stderr);
    let home = workspace.root().join("cargo-home/config.toml");
    let config = std::fs::read_to_string(&home).unwrap();
    std::fs::write(&home, format!("{config}{proxy}")).unwrap();
    workspace.run(build).ok();
}
