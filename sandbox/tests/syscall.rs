//! Makes raw system calls, to find out what the sandbox answers.
#![expect(unsafe_code, reason = "no library offers calls that are meant to fail")]

use std::ffi::CStr;

use libc::c_long;

/// Makes a call whose numeric arguments do no harm, and returns `ok` or the name of the error.
pub(crate) fn answer(number: c_long, arguments: &[c_long]) -> String {
    call(number, arguments).map_or_else(name, |_| "ok".into())
}

/// Makes a call whose numeric arguments do no harm, and returns its result or the number of its
/// error.
pub(crate) fn call(number: c_long, arguments: &[c_long]) -> Result<c_long, i32> {
    let mut padded = [0; 6];
    padded[..arguments.len()].copy_from_slice(arguments);
    let [a, b, c, d, e, f] = padded;
    // SAFETY: callers pass numbers, null pointers, pointers to constants, and places that the kernel fills.
    match unsafe { libc::syscall(number, a, b, c, d, e, f) } {
        -1 => Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        result => Ok(result),
    }
}

/// Writes bytes to memory that the kernel has mapped, whether it can be read or not.
pub(crate) fn fill(place: c_long, bytes: &[u8]) {
    // SAFETY: callers pass the beginning of a page that they have mapped writable, and less than a page.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place as *mut u8, bytes.len()) }
}

/// Returns a constant string as an argument.
pub(crate) fn pointer(text: &'static CStr) -> c_long {
    text.as_ptr() as c_long
}

/// Runs `child` in a copy of this process, and doesn't wait for it.
pub(crate) fn fork(child: impl FnOnce()) {
    // SAFETY: the probe has one thread.
    if unsafe { libc::fork() } == 0 {
        child();
        std::process::exit(0);
    }
}

/// Returns the name of an error number.
pub(crate) fn name(errno: i32) -> String {
    let names = [
        (libc::EACCES, "EACCES"),
        (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
        (libc::EAGAIN, "EAGAIN"),
        (libc::EBADF, "EBADF"),
        (libc::ECONNREFUSED, "ECONNREFUSED"),
        (libc::EFAULT, "EFAULT"),
        (libc::EINVAL, "EINVAL"),
        (libc::ENETUNREACH, "ENETUNREACH"),
        (libc::ENOENT, "ENOENT"),
        (libc::ENOSPC, "ENOSPC"),
        (libc::ENOSYS, "ENOSYS"),
        (libc::EPERM, "EPERM"),
        (libc::EROFS, "EROFS"),
        (libc::ESRCH, "ESRCH"),
        (libc::EXDEV, "EXDEV"),
    ];
    let known = names.iter().find(|(number, _)| *number == errno);
    known.map_or_else(|| errno.to_string(), |(_, name)| (*name).to_owned())
}
