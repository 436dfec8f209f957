//! Starts child processes of the caller that are not isolated: programs of the host
//! ([`supervised`]), and workers, which are this program itself with limits ([`worker`]).

pub(super) mod supervised;
pub(super) mod worker;
