//! Defines what commands see of a machine, whether mounts or the translation of paths show it to
//! them.

pub(super) mod covers;
pub(super) mod devices;
pub(super) mod machine;
pub(super) mod random;
pub(super) mod tree;
