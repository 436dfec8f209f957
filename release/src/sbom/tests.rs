//! Tests of bills of materials: their content and order, and that they are complete.
//!
//! That they are valid CycloneDX is checked by its own tools (`release/tests/releases/tools.rs`).

use super::*;
use crate::digest::Digests;

fn package(purl: &str, role: Role, depends_on: &[&str]) -> Package {
    let name = purl.split(['/', '@']).nth(1).unwrap();
    Package {
        purl: purl.parse().unwrap(),
        name: name.to_owned(),
        version: purl.split('@').nth(1).map(str::to_owned),
        digests: Sha256::of(purl.as_bytes()).into(),
        licence: Some("MIT/Apache-2.0".to_owned()),
        role,
        depends_on: depends_on.iter().map(|purl| purl.parse().unwrap()).collect(),
    }
}

fn component(depends_on: &[&str]) -> Component {
    Component {
        name: "api".to_owned(),
        version: "1.2.0".to_owned(),
        digest: Sha256::of(b"wasm"),
        licence: None,
        depends_on: depends_on.iter().map(|purl| purl.parse().unwrap()).collect(),
    }
}

#[test]
fn a_bill_has_the_component_its_packages_and_their_graph() {
    let mut packages = vec![
        package("pkg:cargo/serde@1.0.0", Role::Library, &["pkg:cargo/itoa@1.0.1"]),
        package("pkg:generic/rustc@1.95.0", Role::Tool, &[]),
        package("pkg:cargo/itoa@1.0.1", Role::Library, &[]),
    ];
    packages[1].licence = Some("see the file COPYING".to_owned());
    let commit = Digests::new([(Algorithm::GitCommit, "a".repeat(40))]).unwrap();
    packages[2].digests = commit;
    let component = component(&["pkg:generic/rustc@1.95.0", "pkg:cargo/serde@1.0.0"]);
    let json = write(&component, &packages, "0.1.0").unwrap();
    let bom: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let names: Vec<_> = bom["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["itoa", "serde", "rustc"]);
    assert_eq!(bom["components"][0]["properties"][1]["name"], "run:digest");
    assert_eq!(bom["components"][1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
    assert_eq!(bom["components"][2]["licenses"][0]["license"]["name"], "see the file COPYING");
    assert_eq!(bom["components"][2]["scope"], "excluded");
    assert_eq!(bom["dependencies"][0]["ref"], "component");
    assert_eq!(bom["dependencies"][2]["dependsOn"][0], "pkg:cargo/itoa@1.0.1");
    assert!(is_of(&json, "api", &Sha256::of(b"wasm")).unwrap());
    assert!(!is_of(&json, "api", &Sha256::of(b"other")).unwrap());
    assert!(!is_of(&json, "other", &Sha256::of(b"wasm")).unwrap());
}

#[test]
fn the_same_content_is_the_same_bytes_and_another_has_another_serial_number() {
    let one = package("pkg:cargo/serde@1.0.0", Role::Library, &[]);
    let two = package("pkg:cargo/itoa@1.0.1", Role::Library, &[]);
    let component = component(&["pkg:cargo/serde@1.0.0", "pkg:cargo/itoa@1.0.1"]);
    let bill = |packages: &[Package], run: &str| write(&component, packages, run).unwrap();
    let first = bill(&[one.clone(), two.clone()], "0.1.0");
    assert_eq!(first, bill(&[two.clone(), one.clone()], "0.1.0"));
    let serial = |json: &[u8]| {
        let bom: serde_json::Value = serde_json::from_slice(json).unwrap();
        bom["serialNumber"].as_str().unwrap().to_owned()
    };
    let (first, other) = (serial(&first), serial(&bill(&[one, two], "0.2.0")));
    assert_ne!(first, other);
    assert!(first.starts_with("urn:uuid:") && first.as_bytes()[23] == b'8', "{first}");
}

#[test]
fn a_bill_is_complete() {
    let one = package("pkg:cargo/serde@1.0.0", Role::Library, &["pkg:cargo/itoa@1.0.1"]);
    let unknown = write(&component(&[]), std::slice::from_ref(&one), "0.1.0").unwrap_err();
    assert!(matches!(unknown, SbomError::Unknown { from, .. } if from == "pkg:cargo/serde@1.0.0"));
    let unknown = write(&component(&["pkg:cargo/a@1"]), &[], "0.1.0").unwrap_err();
    assert!(matches!(unknown, SbomError::Unknown { from, .. } if from == "component"));
    let twice = write(&component(&[]), &[one.clone(), one], "0.1.0").unwrap_err();
    assert!(matches!(twice, SbomError::Twice { .. }));
}
