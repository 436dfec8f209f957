//! Adds assembled code to a compiled package, as the go command does it (`packInternal` in its package `work`).

use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};

/// The action that packs a package. The constants name its inputs and outputs.
#[derive(Debug)]
pub(super) struct Pack {
    /// The number of assembled files.
    pub(super) assembled: usize,
}

impl Pack {
    /// Input: the code that the compiler made, which is an archive.
    pub(super) const COMPILED: &'static str = "compiled.o";
    /// Output: the archive with all code.
    pub(super) const OUTPUT: &'static str = "package.o";

    /// Returns the name of the input with an assembled file.
    pub(super) fn assembled(number: usize) -> String {
        format!("assembled/{number}.o")
    }
}

impl Builtin for Pack {
    fn name(&self) -> &str {
        "go-pack"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        vec![self.assembled.to_string()]
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let mut archive = cx.read(Self::COMPILED)?;
        for number in 0..self.assembled {
            add(&mut archive, &format!("{number}.o"), &cx.read(&Self::assembled(number))?);
        }
        let digest = cx.store().put(&archive)?;
        cx.produce(Self::OUTPUT, Artifact::File { digest, executable: false });
        Ok(())
    }
}

/// Adds a file to an archive. Its name has at most 16 bytes.
fn add(archive: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    let size = bytes.len();
    let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8o}{size:<10}`\n", 0, 0, 0, 0o644);
    archive.extend(header.as_bytes());
    archive.extend(bytes);
    if size % 2 == 1 {
        archive.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_added_with_its_header_and_to_an_even_length() {
        let mut archive = b"!<arch>\n".to_vec();
        add(&mut archive, "0.o", b"abc");
        assert_eq!(
            String::from_utf8(archive).unwrap(),
            "!<arch>\n0.o             0           0     0     644     3         `\nabc\0"
        );
    }
}
