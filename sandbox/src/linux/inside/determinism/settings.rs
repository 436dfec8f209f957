//! Holds the settings of the layer for one command.

/// Holds what is the same for all threads of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub seed: u64,
    /// The time at which clocks begin, in seconds since 1970.
    pub epoch: u64,
    pub cpus: u32,
}
