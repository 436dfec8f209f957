//! The command `run`.
fn main() {}
