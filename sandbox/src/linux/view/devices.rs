//! Lists what every command finds in `/dev`.

use std::ffi::CStr;

/// The devices in `/dev`.
pub(in crate::linux) const DEVICES: [&CStr; 5] = [c"full", c"null", c"random", c"urandom", c"zero"];

/// The links in `/dev`, with the paths that they lead to.
pub(in crate::linux) const DEVICE_LINKS: [(&CStr, &CStr); 4] = [
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
];
