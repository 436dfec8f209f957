//! Tests a client and our own server with a proxy between them that harms what passes.
//!
//! Each [`Fault`](fault::Fault) is tried with both protocols and five seeds. A seed decides which requests are harmed, and
//! which bytes of them. While the fault lasts, a client fetches some results and uploads others (`case`). Then the fault
//! ends, the same client has to recover, and a second one finishes. What has to hold all the time:
//!
//! - every blob in a store has its digest, and a result is the right one or none;
//! - no call takes longer than [`BOUND`](case::BOUND);
//! - whatever is lost is told.
//!
//! `dice`, `samples` and `place` are what cases are made of, `tap` says when a fault strikes, `line` harms connections, and
//! `exchange` requests and answers. The tests are in `bodies`, `statuses`, `connections` and `servers`. Executions are in
//! `waits`, with a `cluster` in front of the server: whatever breaks, each action has its right result.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod bodies;
mod case;
mod certificates;
mod cluster;
mod connections;
mod dice;
mod exchange;
mod fault;
mod frames;
mod goaway;
mod line;
mod listening;
mod op;
mod place;
mod requests;
mod runner;
mod samples;
mod servers;
mod statuses;
mod tap;
mod waits;
