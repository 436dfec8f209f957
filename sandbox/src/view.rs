//! Describes the user, the host and the process that a command sees as its own.

use std::borrow::Cow;

/// The facts that a command is told about its user, its host and itself. Every command gets the
/// same view, so that nothing about the caller shows. `run verify` uses other views to find
/// commands that depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The number of the command's user and of its only group.
    pub user: u32,
    /// The name of the host: at most 64 letters, digits and `-`.
    pub host: Cow<'static, str>,
    /// The permissions that new files lack.
    pub umask: u32,
    /// The number of the first process, from 2 on. This needs a kernel that was built with
    /// checkpoints of processes; with any other kernel the first number is 2.
    pub first_process: u32,
}

impl View {
    /// The view of every action.
    pub const STANDARD: Self =
        Self { user: 1000, host: Cow::Borrowed("run"), umask: 0o022, first_process: 2 };

    /// Returns the files of `/etc`. They name localhost and the only user.
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

    /// Returns whether the kernel accepts this view and a command can work with it.
    pub(crate) fn is_possible(&self) -> bool {
        let Self { user, host, umask, first_process } = self;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..65534).contains(user)
            && (1..=64).contains(&host.len())
            && host.bytes().all(is_plain)
            // A command has to be able to read its own files.
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
