//! Bindings that are ready to be linked: `bindings.o`, `component_type.o` and the header, and for Zig also
//! the module `bindings.zig`.
//!
//! The keys of these actions depend on the WIT alone, so an edit of the sources finds their results in the
//! action cache.

use engine::{Action, Input, Label, Source};

use super::layer::{self, Layer};
use super::tool::{TARGET, Zig};
use crate::lang::bindings::{Bindings, Generator, WhatToBind};
use crate::planner::{LangError, PlanError, Planner, Request};

/// The folder in which an action finds the bindings.
pub(super) const PLACE: &str = "deps/bindings";

/// Adds the actions that make the bindings of `request`'s world, with the Zig module if `zig_module` is true.
pub(super) fn input(
    planner: &mut Planner<'_>,
    zig: &Zig,
    request: &Request<'_>,
    language: &'static str,
    zig_module: bool,
) -> Result<Input, PlanError> {
    let wit = request.wit.ok_or(LangError::NeedsWit { language })?;
    let generate = Bindings {
        what: WhatToBind {
            generator: Generator::C,
            world: wit.world.clone(),
            origins: wit.origins.clone(),
        },
        limits: planner.worker_limits(),
    };
    let action = Action::builtin(Label::new(request.name, "bindings"), generate)
        .input(Input::new("wit", Source::Tree(wit.tree)))
        .output(Bindings::OUTPUT);
    let generated = Source::output(planner.add(action)?, Bindings::OUTPUT);
    let label = Label::new(request.name, "glue");
    let mut action = zig
        .action(label, &script(zig_module), "generated", &Default::default())
        .input(Input::new("generated", generated))
        .input(layer::stubs(planner)?)
        .output("bindings");
    if zig_module {
        action = action.input(layer::input(planner, zig, Layer::TranslateC)?);
    }
    Ok(Input::new(PLACE, Source::output(planner.add(action)?, "bindings")))
}

fn script(zig_module: bool) -> String {
    // The two objects are not merged into one, because that would lose the names of the exports.
    let mut script = format!(
        "busybox mkdir /out/bindings\n\
         busybox cp *.h /out/bindings/\n\
         busybox cp *_component_type.o /out/bindings/component_type.o\n\
         busybox cat *.c > /tmp/bindings.c\n\
         if busybox grep -q exports_wasi_cli_run_run *.h; then\n\
         busybox cat /stub/start.c >> /tmp/bindings.c\n\
         fi\n\
         zig cc {TARGET} -Os -w -I. -c /tmp/bindings.c -o /out/bindings/bindings.o\n"
    );
    if zig_module {
        script.push_str(&layer::unpack());
        script.push_str(&format!(
            "zig translate-c {TARGET} -lc -I. *.h > /out/bindings/bindings.zig\n"
        ));
    }
    script
}
