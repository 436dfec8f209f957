//! Runs zig: in a shell of its image, with caches that live as long as the action.

use std::collections::BTreeMap;

use engine::{Action, Input, Label, Source};

use crate::planner::{PlanError, Planner, base_environment, process};
use crate::toolchain::ZIG;

/// The target that every call compiles for.
pub(super) const TARGET: &str = "-target wasm32-wasi";
/// Zig's global cache. To lock a file in it, zig opens it for writing, which the files of an input don't
/// allow. So a layer is an archive that is unpacked here.
pub(super) const GLOBAL_CACHE: &str = "/tmp/zig";
/// Zig's cache for the project that it compiles.
pub(super) const LOCAL_CACHE: &str = "/tmp/zig-local";

/// The pinned zig.
#[derive(Debug, Clone)]
pub(super) struct Zig {
    image: Source,
}

impl Zig {
    pub(super) fn new(planner: &mut Planner<'_>) -> Result<Self, PlanError> {
        Ok(Self { image: planner.image(ZIG)? })
    }

    /// Returns an action that runs shell text. The first command that fails ends it.
    pub(super) fn action(
        &self,
        label: Label,
        script: &str,
        cwd: &str,
        own: &BTreeMap<String, String>,
    ) -> Action {
        let mut env = base_environment();
        let fixed = [
            ("PATH", "/usr/bin"),
            // Zig compiles programs of its own before it translates C or reads a build.zig. Unoptimised,
            // these take an eighth and a third of the time to compile, and an edit does not notice the
            // difference.
            ("ZIG_DEBUG_CMD", "1"),
            ("ZIG_GLOBAL_CACHE_DIR", GLOBAL_CACHE),
            ("ZIG_LOCAL_CACHE_DIR", LOCAL_CACHE),
        ];
        env.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
        env.extend(own.clone());
        let argv = ["/usr/bin/sh", "-ec", script].map(str::to_owned).to_vec();
        let process = process(argv, env, cwd);
        Action::process(label, process).input(Input::root(self.image.clone()))
    }
}

/// Returns shell text that runs `zig build` without the debug notes that its program, being unoptimised,
/// prints.
pub(super) fn without_notes(command: &str) -> String {
    format!(
        "{command} 2> /tmp/said && code=0 || code=$?\n\
         busybox sed '/^debug: configuration cache [a-z_]*$/d' /tmp/said >&2\n\
         [ $code = 0 ] || exit $code"
    )
}

/// Returns shell text that links objects to a core module whose functions are called from outside, as zig
/// would do it. A function whose type differs from its declaration is an error.
pub(super) fn link(objects: &str, libraries: &[&str], release: bool) -> String {
    let strip = if release { " --strip-all" } else { "" };
    let libraries: Vec<String> = libraries.iter().map(|name| format!("/sysroot/{name}")).collect();
    format!(
        "zig wasm-ld --color-diagnostics=always --error-limit=0 --fatal-warnings --export-memory --stack-first --no-entry \
         -z stack-size=16777216 --build-id=none{strip} $LDFLAGS -o /out/core.wasm \
         /sysroot/crt1-reactor.o /deps/bindings/bindings.o /deps/bindings/component_type.o \
         {objects} {}",
        libraries.join(" ")
    )
}
