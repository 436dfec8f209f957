//! Units: the single calls of rustc, and the single runs of build scripts, of which a build by Cargo consists.
//!
//! Cargo is the judge of what is compiled and how. It runs once for a whole workspace, but with a *recorder* in the
//! place of rustc, which notes each call and compiles nothing ([`recorder`]). Build scripts do not run either: a
//! stand-in notes how Cargo calls them, and prints marks that show where Cargo passes their output on. A builtin
//! makes the list of units of these notes ([`calls`]), and planning makes an action of each unit ([`actions`]).
//! So a crate is compiled once for everybody who compiles it in the same way, whatever else their lockfiles have.
//!
//! The alternatives were tried. Cargo's own unit graph (`--unit-graph`) is unstable, and has neither arguments of
//! rustc nor environments, which would have to be imitated. Running Cargo for each package takes 0.2 s a package,
//! and Cargo's fingerprints hold more than a result depends on.

mod actions;
mod calls;
mod recorder;
mod script_output;
mod unit;

pub(super) use actions::{PackageSources, Seen, UnitActions};
pub(super) use calls::{ReadCalls, Root};
pub(super) use recorder::Recorder;
pub(super) use unit::Units;
