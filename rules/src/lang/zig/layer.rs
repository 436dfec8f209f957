//! The layers of Zig, C and C++: what zig compiles from source at its first call. Each is made once for all
//! components; its key depends on the image and a stub, and on no component's sources.
//!
//! The layers of the C and C++ libraries are plain files that a link names. The others are an archive of
//! zig's cache. In it zig notes the inodes of the image's files, so an archive that was made on another
//! machine is still right, but saves less work.

use engine::{ActionId, Input, Label, Source};

use super::tool::{GLOBAL_CACHE, TARGET, Zig, without_notes};
use crate::path::ProjectPath;
use crate::planner::source_tree::SourceTree;
use crate::planner::{PlanError, Planner};

/// The libraries of a C program, in the order of a link.
pub(super) const LIBC: [&str; 3] = ["libc.a", "libzigc.a", "libcompiler_rt.a"];
/// The libraries of a C++ program, in the order of a link.
pub(super) const LIBCXX: [&str; 5] =
    ["libc++.a", "libc++abi.a", "libc.a", "libzigc.a", "libcompiler_rt.a"];

/// A layer: something that is compiled once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// The libraries of [`LIBC`] and the start file.
    Libc,
    /// The libraries of [`LIBCXX`] and the start file.
    Libcxx,
    /// The parsed standard library of Zig.
    Std,
    /// The program behind `zig translate-c`.
    TranslateC,
    /// The program behind `zig build`, and the libraries as it compiles them in debug and in release mode.
    Build,
}

/// The stubs that the layers compile, and the start of a program that the bindings may get (start.c).
const STUBS: [(&str, &str); 6] = [
    ("build.zig", include_str!("stub/build.zig")),
    ("start.c", include_str!("stub/start.c")),
    ("stub.c", include_str!("stub/stub.c")),
    ("stub.cc", include_str!("stub/stub.cc")),
    ("stub.h", include_str!("stub/stub.h")),
    ("stub.zig", include_str!("stub/stub.zig")),
];

impl Layer {
    fn step(self) -> &'static str {
        match self {
            Self::Libc => "libc",
            Self::Libcxx => "libcxx",
            Self::Std => "std",
            Self::TranslateC => "translate-c",
            Self::Build => "build-runner",
        }
    }

    fn output(self) -> &'static str {
        match self {
            Self::Libc | Self::Libcxx => "sysroot",
            Self::Std | Self::TranslateC | Self::Build => "cache.tar",
        }
    }

    /// Returns the path at which an action finds the layer.
    fn place(self) -> &'static str {
        match self {
            Self::Libc | Self::Libcxx => "sysroot",
            Self::Std | Self::TranslateC | Self::Build => "deps/cache.tar",
        }
    }

    fn script(self) -> String {
        let archive = |what| format!("busybox tar -cf /out/cache.tar -C {GLOBAL_CACHE} {what}");
        let build = "zig build -Dtarget=wasm32-wasi --prefix /tmp/stub";
        match self {
            Self::Libc => libraries("-lc", "stub.c"),
            Self::Libcxx => libraries("-lc -lc++", "stub.cc"),
            Self::Std => format!(
                "zig build-obj {TARGET} -lc -O small -femit-bin=/tmp/stub.o stub.zig\n{}",
                archive("b z")
            ),
            Self::TranslateC => {
                format!("zig translate-c {TARGET} -lc stub.h > /tmp/stub.zig\n{}", archive("b h o"))
            }
            Self::Build => {
                let small = without_notes(&format!("{build} --release=small"));
                format!("{}\n{small}\n{}", without_notes(build), archive("b h o z"))
            }
        }
    }
}

/// Returns shell text that compiles the libraries of a program and puts them out. They are always small and
/// without debug information, as nobody steps through them.
fn libraries(flags: &str, stub: &str) -> String {
    format!(
        "zig build-exe {TARGET} -mexec-model=reactor -fno-entry {flags} -O small -fstrip \
         -femit-bin=/tmp/stub.wasm {stub}\n\
         busybox mkdir /out/sysroot\n\
         busybox find {GLOBAL_CACHE}/o '(' -name '*.a' -o -name 'crt1-*.o' ')' \
         -exec busybox cp '{{}}' /out/sysroot/ ';'"
    )
}

/// Returns shell text that unpacks the archive of a layer into zig's global cache.
pub(super) fn unpack() -> String {
    format!("busybox mkdir -p {GLOBAL_CACHE}\nbusybox tar -xf /deps/cache.tar -C {GLOBAL_CACHE}\n")
}

/// Returns the layer as an input, at the path where [`unpack`] or a link looks for it.
pub(super) fn input(
    planner: &mut Planner<'_>,
    zig: &Zig,
    layer: Layer,
) -> Result<Input, PlanError> {
    let action = action(planner, zig, layer)?;
    Ok(Input::new(layer.place(), Source::output(action, layer.output())))
}

/// Adds the action that makes a layer, once for all components.
fn action(planner: &mut Planner<'_>, zig: &Zig, layer: Layer) -> Result<ActionId, PlanError> {
    planner.once(&format!("zig {}", layer.step()), |planner| {
        let stubs = stubs(planner)?;
        let label = Label::new("zig", layer.step());
        let action = zig.action(label, &layer.script(), "stub", &Default::default());
        planner.add(action.input(stubs).output(layer.output()))
    })
}

/// Returns the folder of stubs as an input.
pub(super) fn stubs(planner: &mut Planner<'_>) -> Result<Input, PlanError> {
    let mut tree = SourceTree::default();
    for (name, text) in STUBS {
        tree.generated(ProjectPath::root().join(name), text);
    }
    Ok(Input::new("stub", Source::Tree(planner.store_tree(tree)?)))
}
