//! Tests that the custom sections of the parts are kept.

use wasm_metadata::{AddMetadata, AddMetadataField, Licenses, Payload, Version};

use super::fixture::{component, composed, of_bytes};

fn part(name: &str, dependencies: &[&str], wit: &str) -> crate::Part {
    let mut add = AddMetadata::default();
    add.name = AddMetadataField::Set(format!("the {name}"));
    add.language = vec![("Rust".to_owned(), format!("1.95 of {name}"))];
    add.version = AddMetadataField::Set(Version::new("1.2.3"));
    add.licenses = AddMetadataField::Set(Licenses::new("MIT").unwrap());
    let bytes = component(&format!("world part {{ {wit} }}"), None);
    of_bytes(name, dependencies, add.to_wasm(&bytes).unwrap())
}

#[test]
fn the_parts_keep_theirs_and_the_whole_has_none() {
    let parts = [
        part("api", &["auth"], "import x: func(); export run: func();"),
        part("auth", &[], "export x: func();"),
    ];
    let composed = composed(&parts);
    let payload = Payload::from_binary(&composed.bytes).unwrap();
    let Payload::Component { metadata, children } = payload else { panic!() };
    assert_eq!(metadata.name, None);
    assert_eq!(metadata.version, None);
    assert!(metadata.producers.is_none());
    let names = children.iter().map(|child| {
        let metadata = child.metadata();
        assert_eq!(metadata.version.as_ref().unwrap().to_string(), "1.2.3");
        assert_eq!(metadata.licenses.as_ref().unwrap().to_string(), "MIT");
        assert!(metadata.producers.is_some());
        metadata.name.clone().unwrap()
    });
    assert_eq!(names.collect::<Vec<_>>(), ["the auth", "the api"]);
    // Each part is there byte for byte.
    for part in &parts {
        let is_there = composed.bytes.windows(part.bytes.len()).any(|bytes| bytes == part.bytes);
        assert!(is_there, "{}", part.name);
    }
}

#[test]
fn a_composition_may_be_part_of_another() {
    let parts = [
        part("api", &["auth"], "import x: func(); import log: func(); export run: func();"),
        part("auth", &[], "import log: func(); export x: func();"),
    ];
    let inner = of_bytes("inner", &["log"], composed(&parts).bytes);
    let outer = [inner, part("log", &[], "export log: func();")];
    assert_eq!(super::fixture::surface(&composed(&outer).bytes), ["export run"]);
}

#[test]
fn metadata_is_added_to_the_whole_as_to_any_component() {
    let parts = [
        part("api", &["auth"], "import x: func(); export run: func();"),
        part("auth", &[], "export x: func();"),
    ];
    let mut add = AddMetadata::default();
    add.name = AddMetadataField::Set("the whole".to_owned());
    let bytes = add.to_wasm(&composed(&parts).bytes).unwrap();
    super::fixture::check_readable(&bytes);
    let payload = Payload::from_binary(&bytes).unwrap();
    assert_eq!(payload.metadata().name.as_deref(), Some("the whole"));
}
