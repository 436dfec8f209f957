//! Runs components in wasmtime.
