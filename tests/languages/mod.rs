//! What holds for single languages: what their errors say, and what only they have.

mod c;
mod zig;
