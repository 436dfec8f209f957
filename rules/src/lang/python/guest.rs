//! The interpreter that runs a component's Python: what its own `sys` and `platform` say.
//!
//! Asked of components that componentize-py 0.18.0 and 0.25.1 made; the catalogue has no version with
//! another interpreter. Lockfiles are read, and wheels chosen, for this one, never for the one that runs
//! componentize-py.

/// `platform.python_version()`.
pub(super) const PYTHON_FULL_VERSION: &str = "3.14.0";

/// `X.Y`, as markers have it and pip wants it.
pub(super) const PYTHON_VERSION: &str = "3.14";

/// `Y` of `X.Y`.
pub(super) const MINOR: u32 = 14;

/// `sysconfig.get_platform()`, as a tag of wheels.
pub(super) const PLATFORM: &str = "wasi_0_0_0_wasm32";

/// The value of a variable of environment markers (the dependency specifiers' specification,
/// "Environment markers", with its deprecated spellings).
pub(super) fn variable(name: &str) -> Option<&'static str> {
    Some(match name {
        "python_version" => PYTHON_VERSION,
        "python_full_version" | "implementation_version" => PYTHON_FULL_VERSION,
        "os_name" | "os.name" => "posix",
        "sys_platform" | "sys.platform" | "platform_system" => "wasi",
        "platform_machine" | "platform.machine" => "wasm32",
        "platform_release" | "platform_version" | "platform.version" => "0.0.0",
        "platform_python_implementation"
        | "platform.python_implementation"
        | "python_implementation" => "CPython",
        "implementation_name" => "cpython",
        _ => return None,
    })
}
