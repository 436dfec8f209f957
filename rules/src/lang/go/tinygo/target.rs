//! The *target* action: TinyGo's own description of WASI 0.2, without the WIT with which TinyGo would make a
//! component. So TinyGo leaves a core module and needs no wasm-tools. The core module is made a component as
//! in other languages.

use cache::Digest;
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};
use serde_json::{Map, Value};

/// The action that writes the description. Its input and output are named by the constants.
#[derive(Debug)]
pub(super) struct Target;

/// The path of TinyGo's own description in its image.
const OWN: &str = "usr/lib/tinygo/targets/wasip2.json";

/// An error in the toolchain `tinygo`.
#[derive(Debug, thiserror::Error)]
enum TargetError {
    #[error(
        "the toolchain `tinygo` has no `targets/wasip2.json`: it is not the archive of a release of TinyGo 0.33 or later"
    )]
    Absent,
    #[error("`targets/wasip2.json` of the toolchain `tinygo` describes no target")]
    Broken(#[from] serde_json::Error),
}

impl Target {
    /// Input: the image of TinyGo.
    pub(super) const IMAGE: &'static str = "image";
    /// Output: the description.
    pub(super) const OUTPUT: &'static str = "target.json";
}

impl Builtin for Target {
    fn name(&self) -> &str {
        "tinygo-target"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        Vec::new()
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let image = *cx.input(Self::IMAGE).digest();
        let tree = cx.store().tree(&image)?.ok_or(BuiltinError::Missing(image))?;
        let file = match tree.get(OWN) {
            Some(cache::Entry::File { digest, .. }) => *digest,
            _ => return Err(BuiltinError::failed(&TargetError::Absent)),
        };
        let text = read(cx, file)?;
        let text = without_wit(&text).map_err(|error| BuiltinError::failed(&error))?;
        let digest = cx.store().put(text.as_bytes())?;
        cx.produce(Self::OUTPUT, Artifact::File { digest, executable: false });
        Ok(())
    }
}

fn read(cx: &BuiltinContext, file: Digest) -> Result<Vec<u8>, BuiltinError> {
    cx.store().get(&file)?.ok_or(BuiltinError::Missing(file))
}

/// Returns the description without the WIT package and the world.
fn without_wit(text: &[u8]) -> Result<String, TargetError> {
    let mut target: Map<String, Value> = serde_json::from_slice(text)?;
    target.retain(|key, _| !key.starts_with("wit-"));
    Ok(serde_json::to_string_pretty(&target)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wit_is_taken_out_and_nothing_else() {
        let text = r#"{"llvm-target": "wasm32-unknown-wasi", "wit-package": "{root}/wit", "wit-world": "w"}"#;
        let target: Value = serde_json::from_str(&without_wit(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(target, serde_json::json!({"llvm-target": "wasm32-unknown-wasi"}));
        assert!(without_wit(b"[]").unwrap_err().to_string().contains("describes no target"));
    }
}
