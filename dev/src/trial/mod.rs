//! Runs the tests of a project, each as a cached action in a fresh instance of its component.
//!
//! - [`Trials`] adds an action for each test to a plan, and reads what came out.
//! - [`select()`] picks tests by name.
//! - [`junit()`] writes results in the form that servers of continuous integration read.
//!
//! A test is an action whose inputs are the component and everything that the test says. A test that has passed with these
//! inputs is not run again. A test that failed, or that may have seen something of the world, goes into no cache.
//! That works because a test sees nothing that changes: its clock is a virtual one that starts at [`START`], and its
//! random numbers follow from the seed [`SEED`].

mod capture;
mod command;
mod diff;
mod function;
mod junit;
mod perform;
mod request;
mod results;
mod select;
mod spec;
mod subject;
mod trials;
mod verdict;
mod world;

pub use diff::{DiffLine, diff};
pub use junit::{JunitError, junit};
pub use results::{End, FaultAt, TestResult, Totals};
pub use select::select;
pub use spec::{SEED, START};
pub use trials::{Added, Hits, ResultError, Trials};
pub use verdict::{Fault, Verdict};
