//! The names of the toolchains that the languages use. Where the toolchains come from is not known here.

/// The toolchain that compiles Rust to components.
pub const RUST: &str = "rust";

/// The toolchain that compiles Go.
pub const GO: &str = "go";

/// TinyGo, the other compiler for Go.
pub const TINYGO: &str = "tinygo";

/// The Go release whose standard library TinyGo compiles, and whose go command it calls.
pub const TINYGO_GO: &str = "tinygo-go";

/// Returns true if a language uses the toolchain, but no registry offers it, so that a user has to add it.
pub(super) fn is_in_no_registry(name: &str) -> bool {
    name == TINYGO
}

/// The sources of the tool that compiles Rust packages with `[package.metadata.component]`.
pub const CARGO_COMPONENT: &str = "cargo-component";

/// The toolchain that makes components of Python modules.
pub const COMPONENTIZE_PY: &str = "componentize-py";

/// The toolchain that makes components of JavaScript modules.
pub const JCO: &str = "jco";

/// The toolchain that bundles JavaScript and TypeScript modules.
pub const ESBUILD: &str = "esbuild";

/// The toolchain that checks the types of TypeScript.
pub const TYPESCRIPT: &str = "typescript";

/// The toolchain that compiles Zig, C and C++.
pub const ZIG: &str = "zig";

/// Returns the end of an error message, which suggests the most similar of the known names, or lists all of
/// them if none is similar.
pub(super) fn suggest(known: &[String], name: &str) -> String {
    let near = known.iter().max_by(|a, b| {
        let score = |candidate: &str| strsim::jaro_winkler(candidate, name);
        score(a).total_cmp(&score(b))
    });
    match near {
        Some(near) if strsim::jaro_winkler(near, name) > 0.8 => {
            format!(" (did you mean `{near}`?)")
        }
        None => String::new(),
        Some(_) => format!(", known: {}", known.join(", ")),
    }
}
