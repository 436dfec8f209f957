//! One file per language: what it builds, and what it says when it can't.

mod c;
mod go;
mod python;
mod zig;
