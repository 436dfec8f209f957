//! One file per language: what it builds, and what it says when it can't.

mod go;
mod python;
