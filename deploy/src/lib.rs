//! Targets of deployments: what becomes of a component so that an edge network runs it, and the API that takes it.
//!
//! [`World`] reads what a component needs and offers. [`check()`] compares that with what an edge network has, before
//! anything is uploaded. [`bundle()`] turns the component into JavaScript modules and core WebAssembly modules, which
//! is a pure function of its input. [`cloudflare`] uploads a bundle, and [`layout`] writes it to a folder in the form
//! that other providers document.
//!
//! This crate prints nothing, and reads no environment, home folder or clock. It knows no manifest, lock or action:
//! tokens, options and the files of the shims are given to it as values.

mod bundle;
mod world;

mod check;
pub mod cloudflare;
pub mod layout;
pub use bundle::{Bundle, BundleError, MAIN, Module, SHIM_PACKAGE, SHIM_VERSION, Size, bundle};
pub use check::{Finding, Grants, Refused, check};
pub use world::{Interface, World, WorldError};
