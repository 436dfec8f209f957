//! Moves WebAssembly modules that a translation makes of bytes into files of their own.
//!
//! If a component consists of several ones, its translation has a small WebAssembly module as an array of numbers, and
//! compiles it when it is instantiated. Edge networks compile nothing at run time. So the bytes become a file beside
//! the other core modules, and the expression asks for that module by its name, as the translation does for the
//! others.

use super::BundleError;

/// The beginning of an expression that compiles a module at run time.
const COMPILE: &str = "new WebAssembly.Module(";

/// Modules, with their names.
type Modules = Vec<(String, Vec<u8>)>;

/// Takes the modules out of a translation. Returns its new text, and the modules with their names.
pub(super) fn extract(source: &str, name: &str) -> Result<(String, Modules), BundleError> {
    let mut text = String::with_capacity(source.len());
    let mut modules = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(COMPILE) {
        let expression = &rest[at + COMPILE.len()..];
        let unknown = || BundleError::Inline(expression.chars().take(60).collect::<String>());
        let (bytes, after) = literal(expression).ok_or_else(unknown)?;
        let path = format!("{name}.inline{}.wasm", modules.len());
        text.push_str(&rest[..at]);
        text.push_str("getCoreModule('");
        text.push_str(&path);
        text.push_str("')");
        modules.push((path, bytes));
        rest = after;
    }
    text.push_str(rest);
    Ok((text, modules))
}

/// Reads `new Uint8Array([0x00, …]))`, with any white space in between. Returns the bytes, and the text behind it.
fn literal(text: &str) -> Option<(Vec<u8>, &str)> {
    let text = text.trim_start().strip_prefix("new Uint8Array(")?;
    let text = text.trim_start().strip_prefix('[')?;
    let (numbers, text) = text.split_once(']')?;
    let text = text.trim_start().strip_prefix(')')?;
    let text = text.trim_start().strip_prefix(')')?;
    let numbers = numbers.split(',').map(str::trim).filter(|number| !number.is_empty());
    let byte = |number: &str| match number.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => number.parse().ok(),
    };
    let bytes = numbers.map(byte).collect::<Option<Vec<u8>>>()?;
    bytes.starts_with(b"\0asm").then_some((bytes, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_become_files() {
        let source = "const a = new WebAssembly.Module(new Uint8Array([\n 0x00, 0x61, 115, 0x6D,\n]));\n\
                      const b = new WebAssembly.Module( new Uint8Array( [0,97,115,109,1] ) );\nrest";
        let (text, modules) = extract(source, "x").unwrap();
        assert_eq!(
            text,
            "const a = getCoreModule('x.inline0.wasm');\nconst b = getCoreModule('x.inline1.wasm');\nrest"
        );
        assert_eq!(
            modules,
            [
                ("x.inline0.wasm".to_owned(), b"\0asm".to_vec()),
                ("x.inline1.wasm".to_owned(), b"\0asm\x01".to_vec())
            ]
        );
    }

    #[test]
    fn a_text_without_modules_stays_as_it_is() {
        let source = "new WebAssembly.Instance(module, {})";
        assert_eq!(extract(source, "x").unwrap(), (source.to_owned(), Vec::new()));
    }

    #[test]
    fn unknown_forms_are_errors() {
        #[track_caller]
        fn check(argument: &str) {
            let error = extract(&format!("let a = new WebAssembly.Module({argument}"), "x");
            assert!(matches!(error, Err(BundleError::Inline(_))), "{error:?}");
        }
        check("");
        check("bytes)");
        check("new Uint8Array([0x00, 0x61, 0x73, 0x6d");
        check("new Uint8Array([0x00, 0x61, 0x73, 0x1ff]))");
        check("new Uint8Array([1, 2, 3, 4]))");
        check("new Uint8Array([0x00, 0x61, 0x73, 0x6d], 1))");
        check("new Uint8Array(bytes))");
    }
}
