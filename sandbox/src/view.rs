//! Who and where a command is told that it is.

use std::borrow::Cow;

/// What a command is told of its user, its host and itself. It is the same for every command, so
/// that nothing of the caller shows; others are for finding out who relies on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The number of its user and of its only group.
    pub user: u32,
    /// The name of the host: letters, digits and `-`, at most 64.
    pub host: Cow<'static, str>,
    /// The permissions that new files lack.
    pub umask: u32,
    /// The number of its first process, from 2 on. Only with a kernel that can checkpoint
    /// processes; others begin with 2.
    pub first_process: u32,
}

impl View {
    /// The view of every action.
    pub const STANDARD: Self =
        Self { user: 1000, host: Cow::Borrowed("run"), umask: 0o022, first_process: 2 };

    /// The files in `/etc`. They name the one user there is, and localhost.
    pub(crate) fn system_files(&self) -> [(&'static str, String); 5] {
        let Self { user, host, .. } = self;
        [
            (
                "/etc/passwd",
                format!(
                    "root:x:0:0:root:/root:/bin/sh\n\
                     run:x:{user}:{user}:run:/tmp:/bin/sh\n\
                     nobody:x:65534:65534:nobody:/:/bin/false\n"
                ),
            ),
            ("/etc/group", format!("root:x:0:\nrun:x:{user}:\nnogroup:x:65534:\n")),
            ("/etc/hosts", format!("127.0.0.1 localhost {host}\n::1 localhost {host}\n")),
            ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n".to_owned()),
            ("/etc/resolv.conf", String::new()),
        ]
    }

    /// Whether the kernel takes it, and a command can work with it.
    pub(crate) fn is_possible(&self) -> bool {
        let Self { user, host, umask, first_process } = self;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..65534).contains(user)
            && (1..=64).contains(&host.len())
            && host.bytes().all(is_plain)
            // Its own files are its own.
            && umask & !0o077 == 0
            && (2..30_000).contains(first_process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_everything_is_possible() {
        let check = |view: View, expect| assert_eq!(view.is_possible(), expect, "{view:?}");
        let standard = || View::STANDARD;
        check(standard(), true);
        check(View { user: 0, ..standard() }, false);
        check(View { user: 65534, ..standard() }, false);
        check(View { host: "".into(), ..standard() }, false);
        check(View { host: "a b".into(), ..standard() }, false);
        check(View { umask: 0o077, ..standard() }, true);
        check(View { umask: 0o700, ..standard() }, false);
        check(View { first_process: 1, ..standard() }, false);
    }
}
