//! Sources that stand in for those of the checkout while everything else is compiled, and how what came of them
//! is found again.
//!
//! Cargo refuses a workspace whose targets have no source, and compiles dependencies only for something that
//! depends on them. So the layer of dependencies is compiled for stand-ins, and whatever was made of these is
//! taken out again: nothing of it may pass for the real thing, and the compile could not write over it, as
//! files of a layer are read-only. Each stand-in names a variable, which rustc and Cargo write down with what
//! they make of it: so its products are told from those of a dependency by what they are made of and not by a
//! name, which a package may share with its dependency.

use super::process::TARGET_DIR;

/// The variable that stand-ins name. Nothing sets it.
const MARK: &str = "RUN_STAND_IN";

/// In the place of a library. Lints that the manifest denies have to find nothing.
pub(super) const LIBRARY: &str = "//! Stands in for a library while its dependencies are compiled.\n\
     #![allow(unused_crate_dependencies)]\n\
     const _: Option<&str> = option_env!(\"RUN_STAND_IN\");\n";
/// In the place of a program or a build script.
pub(super) const PROGRAM: &str = "//! Stands in for a program while its dependencies are compiled.\n\
     #![allow(unused_crate_dependencies)]\n\
     const _: Option<&str> = option_env!(\"RUN_STAND_IN\");\n\
     fn main() {\n    println!(\"cargo:rerun-if-env-changed=RUN_STAND_IN\");\n}\n";

/// Shell text that takes out of these folders of the target folder what was made of stand-ins, and what only
/// serves whoever started Cargo: results in their final place, and locks, which the compile may not open.
pub(super) fn removal(profiles: &[String]) -> String {
    let folders: Vec<String> =
        profiles.iter().map(|name| format!("/{TARGET_DIR}/{name}")).collect();
    format!(
        "for dir in {}; do
    [ -d \"$dir\" ] || continue
    busybox grep -lr {MARK} \"$dir/.fingerprint\" \"$dir/build\" 2>/dev/null | while read -r file; do
        unit=${{file#\"$dir\"/*/}}
        unit=${{unit%%/*}}
        rm -rf \"$dir/.fingerprint/$unit\" \"$dir/build/$unit\"
    done
    busybox grep -l {MARK} \"$dir\"/deps/*.d 2>/dev/null | while read -r file; do
        made=${{file##*/}}
        made=${{made%.d}}
        rm -f \"$dir/deps/$made\" \"$dir/deps/$made\".* \"$dir/deps/lib$made\".*
    done
    busybox find \"$dir\" -maxdepth 1 -type f -exec rm -f {{}} +
done",
        folders.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stand_in_has_the_mark() {
        assert!(LIBRARY.contains(MARK) && PROGRAM.matches(MARK).count() == 2);
    }
}
