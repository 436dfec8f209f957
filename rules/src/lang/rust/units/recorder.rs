//! The recorder: what Cargo calls in the place of rustc and of build scripts.
//!
//! Both are shell scripts, which note the call in a file and then make empty files where Cargo expects outputs. They
//! start hardly any other program, and all files are in memory, because Cargo makes hundreds of calls.

use cache::{ContentStore, Digest, Entry, StoreError, Tree};

/// The program that Cargo calls in the place of rustc.
pub(in crate::lang::rust) struct Recorder;

/// The variable with the folder to write calls to.
const FOLDER: &str = "RUN_CALLS";
/// The end of the path that the stand-in of a build script says it has libraries in. The path begins with the
/// script's OUT_DIR.
pub(super) const MARK: &str = "/run-mark";
/// The last part of the name of a variable by which a build script gets the OUT_DIR of another one.
pub(super) const DEPENDENCY_MARK: &str = "RUN_MARK";
/// The names of files that have a hash of everything that they are compiled with. Cargo gives none to components
/// and the libraries beside them, so it takes one that was made for another target's features. They are removed.
const HASHED: &str = "*-????????????????*";
/// The first word of a file about a call of rustc.
pub(super) const RUSTC: &str = "rustc";
/// The first word of a file about a run of a build script.
pub(super) const SCRIPT: &str = "script";

/// Stands in for rustc. Questions about the compiler itself are answered by the real one.
const RUSTC_SCRIPT: &str = r#"#!/bin/sh
set -e
name= types= folder= suffix= target= previous=
for argument do
    case $argument in
        -vV | --print | --print=*) exec rustc "$@" ;;
    esac
    case $previous in
        --crate-name) name=$argument ;;
        --crate-type) types="$types $argument" ;;
        --out-dir) folder=$argument ;;
        --target) target=$argument ;;
        -C) case $argument in extra-filename=*) suffix=${argument#*=} ;; esac ;;
    esac
    previous=$argument
done
{
    printf 'rustc\0%s\0%d\0' "$PWD" $#
    printf '%s\0' "$@"
    export -p
    printf '\0'
} > "$RUN_CALLS/$$"
: > "$folder/$name$suffix.d"
for type in $types; do
    case $type in
        lib | rlib)
            : > "$folder/lib$name$suffix.rlib"
            : > "$folder/lib$name$suffix.rmeta"
            ;;
        proc-macro) : > "$folder/lib$name$suffix.so" ;;
        staticlib) : > "$folder/lib$name$suffix.a" ;;
        bin)
            case $target in
                '') cp /SCRIPTS/script "$folder/$name$suffix" ;;
                *)
            case $target in
                '') : > "$folder/lib$name$suffix.so" ;;
                *) : > "$folder/$name$suffix.wasm" ;;
            esac
            ;;
            esac
            ;;
        *) : > "$folder/$name$suffix.wasm" ;;
    esac
done
"#;

/// Stands in for a build script.
const BUILD_SCRIPT: &str = r#"#!/bin/sh
set -e
{
    printf 'script\0%s\0%s\0' "$0" "$PWD"
    export -p
    printf '\0'
} > "$RUN_CALLS/$$"
echo "cargo:rustc-link-search=native=$OUT_DIR/run-mark"
echo "cargo:run_mark=$OUT_DIR"
"#;

impl Recorder {
    /// The output of the action: a folder with a file of calls for each selected target.
    pub(in crate::lang::rust) const CALLS: &str = "calls";
    /// The file in that folder with the variables of Cargo itself.
    pub(super) const ENVIRONMENT: &str = "environment";
    /// Cargo's target folder for units. It is in memory, where an action of Cargo itself finds it empty.
    pub(in crate::lang::rust) const TARGET: &str = "tmp/target";
    /// The folder in which the action sees the scripts.
    pub(in crate::lang::rust) const PLACE: &str = "deps/recorder";

    /// Stores the folder with the scripts.
    pub(in crate::lang::rust) fn scripts(store: &ContentStore) -> Result<Digest, StoreError> {
        let rustc = RUSTC_SCRIPT.replace("/SCRIPTS/", &format!("/{}/", Self::PLACE));
        let mut scripts = Tree::default();
        for (name, text) in [("rustc", rustc.as_str()), ("script", BUILD_SCRIPT)] {
            let digest = store.put(text.as_bytes())?;
            scripts.entries.insert(name.to_owned(), Entry::File { digest, executable: true });
        }
        store.put_tree(&scripts)
    }

    /// Returns the variables that make Cargo call the recorder.
    pub(in crate::lang::rust) fn variables() -> [(String, String); 3] {
        [
            ("RUSTC".to_owned(), format!("/{}/rustc", Self::PLACE)),
            // A wrapper that a checkout configures would be called with the recorder. It is not in any image.
            ("RUSTC_WRAPPER".to_owned(), String::new()),
            ("RUSTC_WORKSPACE_WRAPPER".to_owned(), String::new()),
        ]
    }

    /// Returns the variables that say where the target folder is.
    pub(in crate::lang::rust) fn target() -> [(String, String); 2] {
        // A checkout must not move either of them.
        ["CARGO_TARGET_DIR", "CARGO_BUILD_BUILD_DIR"]
            .map(|name| (name.to_owned(), format!("/{}", Self::TARGET)))
    }

    /// Returns shell text that runs Cargo for each selected target, by these calls.
    pub(in crate::lang::rust) fn script(calls: &[String]) -> String {
        let all = format!("/out/{}", Self::CALLS);
        let mut text = format!("busybox mkdir {all} && export -p > {all}/{}", Self::ENVIRONMENT);
        for (number, call) in calls.iter().enumerate() {
            let folder = format!("/tmp/calls-{number}");
            text += &format!(
                " && busybox mkdir {folder} && {FOLDER}={folder} {call} && busybox cat {folder}/* > {all}/{number}\
                 && busybox find /{}/ -path '*/deps/*' ! -name '{HASHED}' -type f -exec busybox rm {{}} +",
                Self::TARGET
            );
        }
        text
    }
}

/// Returns whether a variable is one of the recorder's or of the shell that it is written for.
pub(super) fn is_own_variable(name: &str) -> bool {
    let shell = ["PWD", "OLDPWD", "SHLVL", "_"];
    name == FOLDER
        || shell.contains(&name)
        || Recorder::variables().iter().any(|(own, _)| *own == name)
}
