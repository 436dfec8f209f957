//! Defines how the caller starts the spawner, and what it tells the spawner first.

/// The program runs as the spawner if it is started under this name.
pub(in crate::linux) const NAME: &str = "run-spawner";

/// Says where the spawner gets the right to mount from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) enum Rights {
    /// The caller has the right, and the spawner inherits it.
    Own,
    /// The spawner creates a user namespace, in which it has the right.
    UserNamespace,
    /// The spawner has no right to mount and needs none, as its commands have no namespaces.
    None,
}

impl Rights {
    /// Returns the first message to the spawner.
    pub(in crate::linux) fn greeting(self) -> [u8; 1] {
        [self as u8]
    }
}

impl From<[u8; 1]> for Rights {
    fn from(greeting: [u8; 1]) -> Self {
        let all = [Self::Own, Self::UserNamespace];
        all.into_iter().find(|rights| rights.greeting() == greeting).unwrap_or(Self::None)
    }
}
