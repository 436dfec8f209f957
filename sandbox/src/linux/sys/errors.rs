//! Turns the return value of a system call into a result.

use rustix::io::{Errno, Result};

pub(super) fn check(result: libc::c_long) -> Result<()> {
    match result {
        -1 => Err(last_error()),
        _ => Ok(()),
    }
}

pub(super) fn last_error() -> Errno {
    let code = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    Errno::from_raw_os_error(code)
}
