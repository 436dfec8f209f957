//! Signatures on results, so that a cache that many can write to can't be poisoned (CREEP, CVE-2025-36852).
//!
//! A signature stands in the result itself, in `execution_metadata.auxiliary_metadata`. So it costs no round trip, and
//! it travels through any server that stores messages whole. It covers what the result says of the action and the
//! action's key ([`statement()`]), and nothing that servers fill in.

mod keys;
mod statement;
mod verdict;

pub use keys::{KeyError, PublicKey, SigningKey};
pub(crate) use statement::statement;
pub(crate) use verdict::{Verdict, sign, verdict};
