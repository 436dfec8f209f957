//! Stand-ins: sources that replace those of the checkout while everything else is compiled. This file also
//! finds and removes what was made of them.
//!
//! Cargo refuses a workspace whose targets have no source, and compiles dependencies only for a package that
//! depends on them. So the layer of dependencies is compiled for stand-ins, and whatever was made of these is
//! removed again. None of it may pass for the real thing, and the compile action could not overwrite it,
//! because files of a layer are read-only. Each stand-in names a variable, which rustc and Cargo note in what
//! they make of it. By that note the products of stand-ins are told from those of dependencies. Their names
//! would not do, because a package may share its name with a dependency.

use super::process::TARGET_DIR;

/// The variable that stand-ins name. It is never set.
const MARK: &str = "RUN_STAND_IN";

/// The stand-in for a library. It must pass every lint that the manifest may deny.
pub(super) const LIBRARY: &str = "//! Stands in for a library while its dependencies are compiled.\n\
     #![allow(unused_crate_dependencies)]\n\
     const _: Option<&str> = option_env!(\"RUN_STAND_IN\");\n";
/// The stand-in for a program or a build script.
pub(super) const PROGRAM: &str = "//! Stands in for a program while its dependencies are compiled.\n\
     #![allow(unused_crate_dependencies)]\n\
     const _: Option<&str> = option_env!(\"RUN_STAND_IN\");\n\
     fn main() {\n    println!(\"cargo:rerun-if-env-changed=RUN_STAND_IN\");\n}\n";

/// Returns shell text that removes from these folders of the target folder what was made of stand-ins. It
/// also removes what only serves the caller of Cargo: results in their final place, and locks, which the
/// compile may not open.
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
