//! The build information in a program, which `runtime/debug.ReadBuildInfo` returns.
//!
//! The linker puts it into the program. It takes it from the line `modinfo` of its list of packages. The form
//! is that of `modload.ModInfoData` and `debug.BuildInfo.String` in Go's sources.

use std::collections::BTreeMap;

use super::listed::{Listed, ListedModule};

/// The bytes before and after the text in the program.
const BEGIN: [u8; 16] = *b"\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6";
const END: [u8; 16] = *b"\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2";

/// Returns the line `modinfo` for a program whose main package is `main` and that consists of `packages`.
pub(super) fn line(main: &str, packages: &[Listed], settings: &[(&str, &str)]) -> String {
    let modules = packages.iter().filter_map(|package| package.module.as_ref());
    let modules: BTreeMap<&str, &ListedModule> =
        modules.map(|module| (module.path.as_str(), module)).collect();
    let mut text = format!("path\t{main}\n");
    for module in modules.values().filter(|module| module.main) {
        text.push_str(&format!("mod\t{}\t(devel)\t\n", module.path));
    }
    for module in modules.values().filter(|module| !module.main) {
        text.push_str(&format!("dep\t{}\t{}", module.path, module.version));
        match &module.replace {
            None => text.push_str(&format!("\t{}\n", module.sum)),
            Some(other) => {
                let version = if other.version.is_empty() { "(devel)" } else { &other.version };
                text.push_str(&format!("\n=>\t{}\t{version}\t{}\n", other.path, other.sum));
            }
        }
    }
    text.push('\n');
    for (name, value) in settings {
        text.push_str(&format!("build\t{name}={value}\n"));
    }
    format!("modinfo {}\n", quoted(&[&BEGIN, text.as_bytes(), &END].concat()))
}

/// Returns a Go string literal for these bytes.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_settings_are_told() {
        let module = |path: &str, version: &str, sum: &str| ListedModule {
            path: path.to_owned(),
            version: version.to_owned(),
            sum: sum.to_owned(),
            ..ListedModule::default()
        };
        let of = |module| Listed { module: Some(module), ..Listed::default() };
        let main = ListedModule { main: true, ..module("a.org/m", "", "") };
        let folder = Some(Box::new(module("../c", "", "")));
        let packages = [
            Listed { standard: true, ..Listed::default() },
            of(ListedModule { replace: folder, ..module("c.org", "v0.0.0", "") }),
            of(module("b.org", "v1.0.0", "h1:AA=")),
            of(main),
        ];
        let line = line("a.org/m/cmd", &packages, &[("GOOS", "wasip1")]);
        let expect = "path\\x09a.org/m/cmd\\x0amod\\x09a.org/m\\x09(devel)\\x09\\x0a\
                      dep\\x09b.org\\x09v1.0.0\\x09h1:AA=\\x0a\
                      dep\\x09c.org\\x09v0.0.0\\x0a=>\\x09../c\\x09(devel)\\x09\\x0a\
                      \\x0abuild\\x09GOOS=wasip1\\x0a";
        assert!(line.contains(expect), "{line}");
        assert!(line.starts_with("modinfo \"0w\\xaf\\x0c\\x92t\\x08\\x02A\\xe1"));
        assert!(line.ends_with("\\xd8\\xf2\"\n"));
    }
}
