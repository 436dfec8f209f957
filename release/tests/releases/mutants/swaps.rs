//! Files of one good release in another good release of the same keys.
//!
//! Each of the files was signed by the right key, only not for this release.

use release::verify::Fault;

use super::Mutant;
use super::raw::Raw;
use crate::sample::{CI, REBUILDER, Sample, attestation};

pub(crate) fn mutants() -> Vec<Mutant> {
    let new = Raw::of(&Sample::new("1.2.0").archive());
    let old = Raw::of(&Sample::new("1.1.0").archive());
    let mut mutants = Vec::new();
    for (path, bytes) in &old.files {
        let mut mixed = new.clone();
        mixed.set(path, bytes.clone());
        let expected = path.clone();
        // An attestation of the other release describes other files.
        let expect = move |fault: &Fault| match fault {
            Fault::Differs { file, key } => {
                *file == expected
                    || (expected == attestation(&CI) && key == "ci")
                    || (expected == attestation(&REBUILDER) && key == "rebuilder")
            }
            _ => false,
        };
        mutants.push(Mutant::integrity(format!("swap: {path} of 1.1.0"), mixed.pack(), expect));
    }
    // A whole component with its bill, as somebody would do who wants an old fault back.
    let mut mixed = new.clone();
    for path in ["components/api.wasm", "sbom/api.cdx.json"] {
        mixed.set(path, old.files[path].clone());
    }
    mutants.push(Mutant::integrity(
        "swap: the component `api` of 1.1.0",
        mixed.pack(),
        |fault| matches!(fault, Fault::Differs { file, .. } if file == "components/api.wasm"),
    ));
    // Two components that take each other's place.
    let mut mixed = new.clone();
    mixed.set("components/api.wasm", new.files["components/worker.wasm"].clone());
    mixed.set("components/worker.wasm", new.files["components/api.wasm"].clone());
    mutants.push(Mutant::integrity(
        "swap: two components",
        mixed.pack(),
        |fault| matches!(fault, Fault::Differs { file, .. } if file == "components/worker.wasm"),
    ));
    let mut mixed = new.clone();
    mixed.set("sbom/api.cdx.json", new.files["sbom/worker.cdx.json"].clone());
    mutants.push(Mutant::integrity(
        "swap: a bill of another component",
        mixed.pack(),
        |fault| matches!(fault, Fault::BillDiffers { component, .. } if component == "api"),
    ));
    // The old release under the name of the new one.
    let renamed = Raw { root: new.root.clone(), ..old.clone() };
    mutants.push(Mutant::integrity(
        "swap: 1.1.0 as 1.2.0",
        renamed.pack(),
        |fault| matches!(fault, Fault::Root { expected, .. } if expected == "shop-1.1.0"),
    ));
    mutants.push(Mutant::policy("swap: 1.1.0 instead of 1.2.0", old.pack(), |fault| {
        matches!(fault, Fault::Rollback { .. })
    }));
    mutants
}
