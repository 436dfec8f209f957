//! Reads `rust-toolchain.toml`, which names the Rust that rustup would use in the checkout.
//!
//! Components are compiled by the Rust of run.lock.toml. If a checkout asks rustup for another one, its users
//! should know which of the two they get. Format: the rustup book, "The toolchain file".

use std::path::Path;

use toml::{Table, Value};

use crate::bounded;
use crate::path::ProjectPath;

/// The names of the file. rustup prefers the older one, which comes first here.
const NAMES: [&str; 2] = ["rust-toolchain", "rust-toolchain.toml"];

/// Returns a warning if the file that rustup would find in the folder `workspace` asks for another Rust than
/// `pinned`.
pub(super) fn disagreement(
    project: &Path,
    workspace: &ProjectPath,
    pinned: &str,
) -> Option<String> {
    let folders = std::iter::once(workspace.clone()).chain(workspace.ancestors());
    let mut files = folders.flat_map(|folder| NAMES.map(|name| folder.join(name)));
    let (file, text) = files.find_map(|file| {
        bounded::read_text(&file.on_disk(project)).ok().map(|text| (file, text))
    })?;
    let asked = channel(&text)?;
    (!fits(&asked, pinned)).then(|| {
        format!("`{file}` asks for Rust `{asked}`, but components are compiled by the pinned Rust {pinned}")
    })
}

/// Reads the channel that a toolchain file asks for. The older form is the bare name.
fn channel(text: &str) -> Option<String> {
    let Ok(table) = text.parse::<Table>() else {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let only = lines.next().filter(|line| !line.contains(['[', '=', ' ']));
        return only.filter(|_| lines.next().is_none()).map(str::to_owned);
    };
    let toolchain = table.get("toolchain")?;
    let text = |key| toolchain.get(key).and_then(Value::as_str).map(str::to_owned);
    text("channel").or_else(|| text("path"))
}

/// Returns true if a release satisfies a channel: any release is `stable`, and 1.95.0 is a `1.95`.
fn fits(channel: &str, pinned: &str) -> bool {
    // A name may end with the host: `1.95.0-x86_64-unknown-linux-gnu`.
    let channel = match channel.split_once('-') {
        Some((name, rest)) if !rest.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => channel,
    };
    let begins =
        pinned.strip_prefix(channel).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    channel == "stable" || begins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_asks_for_another_rust_is_named() {
        let check = |name: &str, text: &str, expect: Option<&str>| {
            let project = tempfile::tempdir().unwrap();
            std::fs::write(project.path().join(name), text).unwrap();
            let workspace = ProjectPath::parse("services/api").unwrap();
            let said = disagreement(project.path(), &workspace, "1.95.0");
            let expect = expect.map(|asked| {
                format!("`{name}` asks for Rust `{asked}`, but components are compiled by the pinned Rust 1.95.0")
            });
            assert_eq!(said, expect, "{text}");
        };
        let toml = |channel: &str| format!("[toolchain]\nchannel = \"{channel}\"\n");
        for channel in
            ["stable", "1.95", "1.95.0", "1.95.0-x86_64-unknown-linux-gnu", "stable-aarch64"]
        {
            check("rust-toolchain.toml", &toml(channel), None);
        }
        for channel in
            ["nightly", "nightly-2026-01-01", "beta", "1.9", "1.80.0", "stable-2025-01-01"]
        {
            check("rust-toolchain.toml", &toml(channel), Some(channel));
        }
        check("rust-toolchain", "nightly\n", Some("nightly"));
        check("rust-toolchain", "stable\n", None);
        check("rust-toolchain", &toml("nightly"), Some("nightly"));
        check("rust-toolchain.toml", "[toolchain]\npath = \"/opt/rust\"", Some("/opt/rust"));
        check("rust-toolchain.toml", "[toolchain]\ncomponents = [\"clippy\"]", None);
    }
}
