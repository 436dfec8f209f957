//! What each language builds, and what its users are told when they err.

mod c;
mod go;
mod python;
mod rust;
mod zig;
