use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{Function, FunctionKind, LiftLowerAbi, ManglingAndAbi};

use super::*;
use crate::wasm::fixture::completed_world;
use crate::wasm::{externs, validate};

/// Makes a component that imports these built-in interfaces, with all of their functions.
fn importing(interfaces: &[&str]) -> Vec<u8> {
    let imports: String =
        interfaces.iter().map(|interface| format!("  import {interface};\n")).collect();
    let wit = format!("package demo:app;\nworld app {{\n{imports}  export run: func();\n}}\n");
    let (resolve, world) = completed_world(&wit);
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Denies capabilities to a component, and returns the imports that are gone.
#[track_caller]
fn gone(component: &[u8], denied: &[&str]) -> Vec<String> {
    let without = deny("app", component, &words(denied), |_| false).unwrap().unwrap();
    validate(&without).unwrap();
    let (before, after) = (externs(component).unwrap(), externs(&without).unwrap());
    assert_eq!(after.exports, before.exports);
    assert!(after.imports.iter().all(|import| before.imports.contains(import)), "{after:?}");
    before.imports.into_iter().filter(|import| !after.imports.contains(import)).collect()
}

#[track_caller]
fn check(imports: &[&str], word: &str, expected: &[&str]) {
    assert_eq!(gone(&importing(imports), &[word]), expected, "{imports:?}");
}

#[test]
fn doors_are_closed() {
    let http = "wasi:http/outgoing-handler@0.2.4";
    check(&[http], "http-client", &[http]);
    let preopens = "wasi:filesystem/preopens@0.2.4";
    check(&[preopens], "filesystem", &[preopens]);
    let (tcp, udp) =
        ("wasi:sockets/tcp-create-socket@0.2.4", "wasi:sockets/udp-create-socket@0.2.4");
    let names = "wasi:sockets/ip-name-lookup@0.2.4";
    check(&[tcp, udp, names, "wasi:sockets/instance-network@0.2.4"], "sockets", &[tcp, udp, names]);
    let config = "wasi:config/store@0.2.0-rc.1";
    check(&[config], "config", &[config]);
    let log = "wasi:logging/logging@0.1.0-draft";
    check(&[log], "logging", &[log]);
}

#[test]
fn interfaces_with_resources_are_replaced_with_all_that_use_them() {
    let interfaces = ["atomics", "batch", "store"];
    let names = interfaces.map(|name| format!("wasi:keyvalue/{name}@0.2.0-draft"));
    let mut found = gone(&importing(&names.each_ref().map(String::as_str)), &["keyvalue"]);
    found.sort();
    assert_eq!(found, names);
}

#[test]
fn doors_of_wasi_0_3_are_closed() {
    let client = "wasi:http/client@0.3.0";
    check(&[client], "http-client", &[client]);
    let (types, names) = ("wasi:sockets/types@0.3.0", "wasi:sockets/ip-name-lookup@0.3.0");
    let mut found = gone(&importing(&[types, names]), &["sockets"]);
    found.sort();
    assert_eq!(found, [names, types]);
    let preopens = "wasi:filesystem/preopens@0.3.0";
    check(&[preopens], "filesystem", &[preopens]);
}

#[test]
fn functions_that_are_no_doors_still_call_the_host() {
    // Arguments of the command line are no variables.
    let environment = importing(&["wasi:cli/environment@0.2.4"]);
    assert_eq!(gone(&environment, &["env"]), Vec::<String>::new());
}

#[test]
fn several_capabilities_are_denied_at_once() {
    let names = ["wasi:filesystem/preopens@0.2.4", "wasi:http/outgoing-handler@0.2.4"];
    let found = gone(&importing(&names), &["filesystem", "http-client", "sockets"]);
    assert_eq!(found, names);
}

#[test]
fn a_component_that_can_not_use_a_capability_stays_as_it_is() {
    let component = importing(&["wasi:clocks/wall-clock@0.2.4", "wasi:http/types@0.2.4"]);
    let denied = words(&["http-client", "sockets", "filesystem", "env"]);
    assert_eq!(deny("app", &component, &denied, |_| false).unwrap(), None);
    let component = importing(&["wasi:http/outgoing-handler@0.2.4"]);
    assert_eq!(deny("app", &component, &words(&["sockets"]), |_| false).unwrap(), None);
    // Another part serves the import.
    assert_eq!(deny("app", &component, &denied, |_| true).unwrap(), None);
}

#[test]
fn the_same_bytes_come_out_each_time() {
    let component = importing(&["wasi:http/outgoing-handler@0.2.4", "wasi:cli/environment@0.2.4"]);
    let denied = words(&["env", "http-client"]);
    let once = deny("app", &component, &denied, |_| false).unwrap();
    assert_eq!(once, deny("app", &component, &denied, |_| false).unwrap());
}

/// Functions of interfaces that belong to capabilities and give nothing of the outside.
const HARMLESS: &[&str] = &[
    "wasi:cli/environment#get-arguments",
    "wasi:cli/environment#get-initial-cwd",
    "wasi:cli/environment#initial-cwd",
    // It tells what an error that the component has means.
    "wasi:filesystem/types#filesystem-error-code",
    "wasi:sockets/network#network-error-code",
    // Without a socket, the network is of no use.
    "wasi:sockets/instance-network#instance-network",
    // They need a store that was opened.
    "wasi:keyvalue/atomics#increment",
    "wasi:keyvalue/atomics#swap",
    "wasi:keyvalue/atomics#[static]cas.new",
    "wasi:keyvalue/batch#delete-many",
    "wasi:keyvalue/batch#get-many",
    "wasi:keyvalue/batch#set-many",
];

/// Tells if a function can be called without having anything of its interface before.
fn is_free(function: &Function) -> bool {
    matches!(
        function.kind,
        FunctionKind::Freestanding
            | FunctionKind::AsyncFreestanding
            | FunctionKind::Static(_)
            | FunctionKind::AsyncStatic(_)
            | FunctionKind::Constructor(_)
    )
}

#[test]
fn every_function_that_needs_nothing_is_a_door_or_harmless() {
    let packages = [
        ("wasi:cli", "0.2.4", &["environment"][..]),
        ("wasi:cli", "0.3.0", &["environment"]),
        ("wasi:http", "0.2.4", &["outgoing-handler"]),
        ("wasi:http", "0.3.0", &["client"]),
        ("wasi:filesystem", "0.2.4", &["preopens", "types"]),
        ("wasi:filesystem", "0.3.0", &["preopens", "types"]),
        ("wasi:sockets", "0.3.0", &["types", "ip-name-lookup"]),
        ("wasi:config", "0.2.0-rc.1", &["store"]),
        ("wasi:keyvalue", "0.2.0-draft", &["store", "atomics", "batch"]),
    ];
    let sockets = [
        "tcp",
        "udp",
        "network",
        "instance-network",
        "tcp-create-socket",
        "udp-create-socket",
        "ip-name-lookup",
    ];
    let all = packages.into_iter().chain([("wasi:sockets", "0.2.4", &sockets[..])]);
    let denied = words(&["env", "http-client", "filesystem", "sockets", "config", "keyvalue"]);
    for (package, version, interfaces) in all {
        for interface in interfaces {
            let name = format!("{package}/{interface}@{version}");
            let (resolve, world) = decode(&importing(&[&name])).unwrap();
            let imports = &resolve.worlds[world].imports;
            let id = imports.iter().find_map(|(key, item)| match item {
                WorldItem::Interface { id, .. } if resolve.name_world_key(key) == name => Some(*id),
                _ => None,
            });
            for function in resolve.interfaces[id.unwrap()].functions.values() {
                let full = format!("{package}/{interface}#{}", function.name);
                let is_door = doors::find(&name, function, &denied).is_some();
                let is_known = is_door || HARMLESS.contains(&full.as_str());
                assert!(is_known || !is_free(function), "{full}");
            }
        }
    }
}
