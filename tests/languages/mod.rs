//! What each language builds, and what its users are told when they err.

mod rust;
