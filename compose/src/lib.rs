//! Links WebAssembly components into one, by what they import and export.
//!
//! [`compose()`] takes the bytes of components and gives the bytes of one component. Which part may take its imports from which others
//! is for the caller to say ([`Part::dependencies`]); what is linked to what follows from the names and the types. An import that no
//! dependency exports stays an import of the whole, and the exports of the whole are those of the root.
//!
//! # What the result holds
//!
//! Each part is in the result once, byte for byte, and has one instance there. So all its custom sections are kept: its name, its
//! producers, and what `wasm-metadata` wrote (version, licence, description). Around the parts there are only the imports, the instances
//! and the exports. The whole has no custom section of its own, hence no name and no version: whoever publishes it adds them. Only a
//! root without dependencies needs nothing around it and is returned as it is.
//!
//! The order of the parts and of their dependencies changes nothing. The names of the parts decide the order in which the parts stand in
//! the result, and are not written into it.
//!
//! # What does the work
//!
//! The graph of instances and its encoding are those of `wac-graph`, which has its own versions of the crates of wasm-tools: nothing but
//! bytes gets in and out. It validates the result, which takes most of the time. What it leaves open is done here: [`link`] chooses who
//! serves what, [`naming`] and [`resources`] find what could only fail in the validation, with a message that names nothing of it, and
//! [`difference`] tells in words in what types differ. Where `wac-graph` asserts because it can't encode something, that is an error.

mod compose;
mod difference;
mod encode;
mod link;
mod name;
mod naming;
mod order;
mod read;
mod resources;

pub use compose::{ComposeError, Composed, Link, Part, compose};

#[cfg(test)]
mod tests;
