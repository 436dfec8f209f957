//! A cache server over a store: HTTP and the Remote Execution API on one port.
//!
//! A [`Server`] serves a [`cache::DiskStore`] to builds on other machines: to `run`, to Bazel, and to whatever else speaks
//! Bazel's HTTP protocol or gRPC. It is made of [`Settings`] and knows nothing else: it prints nothing, and reads no
//! environment, no file of the user and no arguments.
//!
//! The way of a request: `connection` has the bytes, `front` checks the token and notes who asks, and `grpc` or `http`
//! answers. Both protocols use the same parts: `upload` and `staging` take blobs into the store, `download` takes them out,
//! and `actions` decides what counts as a hit.
//!
//! - Every upload is checked against its digest before anybody can see it.
//! - A result of an action is given out only if all blobs that it names are there.
//! - Work on the disk never runs on a thread that serves connections, and a bounded number of threads does it.

mod actions;
mod app;
mod auth;
mod blocking;
mod client;
mod complete;
mod connection;
mod download;
mod exchange;
mod failure;
mod front;
mod grpc;
mod http;
mod metrics;
mod page;
mod patience;
mod server;
mod settings;
mod staging;
mod stats;
mod tls;
mod upkeep;
mod upload;
mod uploads;

pub use auth::{InvalidToken, Token};
pub use exchange::{Access, Protocol};
pub use server::{Handle, ServeError, Served, Server};
pub use settings::{AccessLog, Collect, Collected, Settings, Tls};
pub use stats::Totals;
pub use tls::TlsError;
