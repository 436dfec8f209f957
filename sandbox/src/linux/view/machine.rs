//! Describes the machine that commands see under the determinism layer.

/// Programs see this version of the kernel, which is new enough for all of them.
pub(in crate::linux) const KERNEL: &str = "6.1.0";

/// Programs see this many bytes of memory, of which half are free.
pub(in crate::linux) const MEMORY: u64 = 16 << 30;
