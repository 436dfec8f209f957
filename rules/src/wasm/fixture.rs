//! Makes components for tests out of nothing but WIT. Every function of such a component traps.

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, PackageId, Resolve, WorldId};

use crate::wit::{Request, complete, resolve, select_world};

/// Parses WIT. A text without a `package` line gets one.
pub(super) fn parse(wit: &str) -> (Resolve, PackageId) {
    let mut resolve = Resolve::new();
    let wit = if wit.contains("package ") {
        wit.to_owned()
    } else {
        format!("package demo:calc;\n{wit}")
    };
    let package = resolve.push_source("wit/world.wit", &wit).unwrap();
    (resolve, package)
}

/// Parses WIT that has one world.
pub(super) fn world(wit: &str) -> (Resolve, WorldId) {
    let (resolve, package) = parse(wit);
    let world = resolve.select_world(&[package], None).unwrap();
    (resolve, world)
}

/// Completes and parses WIT whose only world refers to built-in packages.
pub(super) fn completed_world(wit: &str) -> (Resolve, WorldId) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("world.wit"), wit).unwrap();
    let store = folder.path().join("store");
    let store = cache::ContentStore::open(&store, cache::DigestFunction::Blake3).unwrap();
    let root = folder.path().to_owned();
    let request = Request { root, wit: Some("world.wit".into()), ..Request::default() };
    let completed = complete(&request, &store);
    let resolved = resolve(&completed.unwrap().files).unwrap();
    let world = select_world(&resolved.resolve, resolved.package, None, "").unwrap();
    (resolved.resolve, world)
}

/// Makes a core module for the world, which does not name its world.
pub(super) fn module(wit: &str) -> Vec<u8> {
    let (resolve, world) = world(wit);
    dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync))
}

/// Makes a component of the world.
pub(super) fn component(wit: &str) -> Vec<u8> {
    let (resolve, world) = world(wit);
    let mut module = module(wit);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// Checks that Cargo.lock has the crates that `version` names after its first word. If a crate makes other
/// bytes, the key of the action that uses it must change.
#[track_caller]
pub(crate) fn assert_locked(version: &str) {
    let lock: toml::Table = include_str!("../../../Cargo.lock").parse().unwrap();
    let words: Vec<&str> = version.split(' ').skip(1).collect();
    for pair in words.chunks(2) {
        let locked = lock["package"].as_array().unwrap().iter().any(|package| {
            package["name"].as_str() == Some(pair[0])
                && package["version"].as_str() == Some(pair[1])
        });
        assert!(locked, "{pair:?}");
    }
}
