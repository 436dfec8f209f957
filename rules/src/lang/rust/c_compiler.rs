//! The C compiler with which build scripts compile C into a component, through the crate `cc`.
//!
//! Rust brings the C library of its target and a linker, but neither headers nor a compiler. These come from
//! the pinned zig, whose programs are called through scripts, because zig has other names for targets than
//! Rust and `cc`. zig's headers are for the same WASI, and calls of the C library are linked to Rust's own.
//! What that library lacks, C code asks for by macros (such as `_WASI_EMULATED_MMAN`). zig has the sources of
//! these parts; they are compiled to libraries and passed to the linker, which takes what is called.

use std::collections::BTreeMap;

use cache::{Digest, Entry, Tree};
use engine::{Action, ActionId, Input, Label, Source};

use crate::path::ProjectPath;
use crate::planner::{PlanError, Planner, SourceTree, base_environment, process};
use crate::toolchain::ZIG;

/// The folders in which an action sees zig, the scripts, and the libraries.
const PLACE: &str = "deps/zig";
const SCRIPTS: &str = "deps/wasm-c";
const LIBRARIES: &str = "deps/wasi-emulated";

/// The variables by which `cc`, tools like it, and Cargo find a program for the target, each with the
/// script's name.
const PROGRAMS: [(&str, &str); 5] = [
    ("CC_wasm32_wasip2", "clang"),
    ("CXX_wasm32_wasip2", "clang++"),
    ("AR_wasm32_wasip2", "ar"),
    ("RANLIB_wasm32_wasip2", "ranlib"),
    // By this name rustc knows how the linker has to be called.
    ("CARGO_TARGET_WASM32_WASIP2_LINKER", "wasm-component-ld"),
];

/// The arguments that zig gets before the caller's. Checks for undefined behaviour are off unless the user's
/// flags ask for them, as with other compilers.
const FLAGS: &str = "-target wasm32-wasi -fno-sanitize=undefined";

/// zig's caches. zig writes to them, so they are in a temporary folder.
const CACHES: [(&str, &str); 2] =
    [("ZIG_GLOBAL_CACHE_DIR", "/tmp/zig"), ("ZIG_LOCAL_CACHE_DIR", "/tmp/zig-local")];

/// Compiles the libraries and gives them the names by which programs link them. By itself zig puts all of
/// them into its own C library, which Rust does not link.
const MAKE_LIBRARIES: &str = "\
libc=/usr/lib/zig/lib/libc
wasi=$libc/wasi/libc-bottom-half
busybox mkdir /out/lib
library() {
    name=$1
    shift
    objects=
    for source in \"$@\"; do
        object=/tmp/${source##*/}.o
        zig cc -target wasm32-wasi -O2 -g0 -fno-sanitize=undefined -D_WASI_EMULATED_SIGNAL= -I . \
            -c -o \"$object\" \"$source\"
        objects=\"$objects $object\"
    done
    zig ar rcsD /out/lib/libwasi-emulated-$name.a $objects
}
library mman $wasi/mman/mman.c
library getpid $wasi/getpid/getpid.c
library signal $wasi/signal/signal.c $libc/musl/src/string/strsignal.c
library process-clocks clocks.c
";

/// The sources of the libraries that zig lacks.
const SOURCES: [(&str, &str); 2] = [
    ("clocks.c", include_str!("emulated/clocks.c")),
    ("locale_impl.h", include_str!("emulated/locale_impl.h")),
];

pub(super) struct CCompiler {
    zig: Source,
    scripts: Digest,
    libraries: ActionId,
}

impl CCompiler {
    pub(super) fn new(planner: &mut Planner<'_>) -> Result<Self, PlanError> {
        let mut scripts = Tree::default();
        for (name, text) in scripts_by_name() {
            let digest = planner.store().put(text.as_bytes())?;
            scripts.entries.insert(name.to_owned(), Entry::File { digest, executable: true });
        }
        let scripts = planner.store().put_tree(&scripts)?;
        let libraries = planner.once("wasi-emulated", libraries)?;
        Ok(Self { zig: planner.image(ZIG)?, scripts, libraries })
    }

    pub(super) fn variables() -> BTreeMap<String, String> {
        let script = |name| format!("/{SCRIPTS}/{name}");
        PROGRAMS.map(|(variable, name)| (variable.to_owned(), script(name))).into()
    }

    /// Adds the programs and libraries.
    pub(super) fn add_to(&self, action: Action) -> Action {
        action
            .input(Input::new(PLACE, self.zig.clone()))
            .input(Input::new(SCRIPTS, Source::Tree(self.scripts)))
            .input(Input::new(LIBRARIES, Source::output(self.libraries, "lib")))
    }
}

/// Adds the action that compiles the libraries.
fn libraries(planner: &mut Planner<'_>) -> Result<ActionId, PlanError> {
    let mut sources = SourceTree::default();
    for (name, text) in SOURCES {
        sources.generated(ProjectPath::root().join(name), text);
    }
    let sources = planner.store_tree(sources)?;
    let mut env = base_environment();
    let own = [("PATH", "/usr/bin")].into_iter().chain(CACHES);
    env.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let argv = ["/usr/bin/sh", "-ec", MAKE_LIBRARIES].map(str::to_owned).to_vec();
    let zig = planner.image(ZIG)?;
    let action =
        Action::process(Label::new("zig", "wasi-emulated"), process(argv, env, "emulated"))
            .input(Input::root(zig))
            .input(Input::new("emulated", Source::Tree(sources)))
            .output("lib");
    planner.add(action)
}

fn scripts_by_name() -> [(&'static str, String); 5] {
    [
        ("clang", compiler("cc")),
        ("clang++", compiler("c++")),
        ("ar", tool("ar")),
        ("ranlib", tool("ranlib")),
        ("wasm-component-ld", linker()),
    ]
}

/// Returns a script that calls zig's compiler for the one target, whatever target the caller names. `cc`
/// calls it with `-?` to find out if it is a compiler for Windows.
fn compiler(name: &str) -> String {
    format!(
        "{}for argument do
    shift
    case \"$argument\" in
        --target=*) ;;
        '-?') exit 1 ;;
        *) set -- \"$@\" \"$argument\" ;;
    esac
done
exec {} {name} {FLAGS} \"$@\"
",
        beginning(),
        program()
    )
}

fn tool(name: &str) -> String {
    format!("{}exec {} {name} \"$@\"\n", beginning(), program())
}

/// Returns a script that calls the linker which rustc has put into PATH, and adds the libraries.
fn linker() -> String {
    format!("#!/bin/sh\nexec wasm-component-ld \"$@\" -L/{LIBRARIES} /{LIBRARIES}/*.a\n")
}

fn beginning() -> String {
    let caches = CACHES.map(|(name, value)| format!("export {name}={value}\n"));
    format!("#!/bin/sh\n{}", caches.concat())
}

fn program() -> String {
    format!("/{PLACE}/usr/lib/zig/zig")
}
