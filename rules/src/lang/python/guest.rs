//! The interpreter inside a component: what its `sys` and `platform` modules say.
//!
//! The values were read in components that componentize-py 0.18.0 and 0.25.1 made; no version in the
//! catalogue has another interpreter. Lockfiles are read and wheels are chosen for this interpreter, never
//! for the one that runs componentize-py.

/// The full version, as `platform.python_version()` returns it.
pub(super) const PYTHON_FULL_VERSION: &str = "3.14.0";

/// The version as `X.Y`, which is the form that markers and pip use.
pub(super) const PYTHON_VERSION: &str = "3.14";

/// The minor version: the `Y` of `X.Y`.
pub(super) const MINOR: u32 = 14;

/// The platform, as `sysconfig.get_platform()` returns it, in the form of a wheel's tag.
pub(super) const PLATFORM: &str = "wasi_0_0_0_wasm32";

/// The modules of the standard library that the interpreter is built without. Other modules depend on these:
/// `ssl`, for example, needs `_ssl`.
pub(super) const WITHOUT: [&str; 24] = [
    "_bz2",
    "_ctypes",
    "_curses",
    "_dbm",
    "_gdbm",
    "_hashlib",
    "_interpreters",
    "_lzma",
    "_multiprocessing",
    "_posixshmem",
    "_posixsubprocess",
    "_ssl",
    "_tkinter",
    "_zstd",
    "fcntl",
    "grp",
    "mmap",
    "msvcrt",
    "pwd",
    "readline",
    "resource",
    "syslog",
    "termios",
    "winreg",
];

/// Returns the value of a variable of environment markers, or `None` if there is no such variable. Source:
/// the dependency specifiers' specification, "Environment markers", with its deprecated spellings.
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
