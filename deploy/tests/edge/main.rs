//! Deploys real components to a server that speaks Cloudflare's API, and has workerd, the runtime of Cloudflare Workers,
//! execute the very modules that the server got.
//!
//! The tests need cargo with the target `wasm32-wasip2`, and npm, from which the shims and workerd come. Nothing runs in
//! Node.js.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod components;
mod deploys;
mod hostile;
mod packages;
mod serves;
mod workerd;
