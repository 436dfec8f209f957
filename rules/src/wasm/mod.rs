//! Work on components as bytes: they are made from core modules, validated, checked against their world, and
//! stamped.
//!
//! Everything here is a function of bytes. [`Finish`] ties the functions together as the last action of every
//! component, which a worker does. This module knows no languages, toolchains or manifest.

mod check;
mod compare;
mod componentize;
mod compose;
mod demand;
mod deny;
mod difference;
mod finish;
mod fit;
#[cfg(test)]
pub(crate) mod fixture;
mod inspect;
mod publish;
mod stamp;

pub use check::{CheckError, Gap, WorldMismatch, check_world};
pub use componentize::{Adapter, ComponentizeError, componentize};
pub(crate) use compose::ComposeErrand;
pub use compose::{Compose, PlannedLink, PlannedPart};
pub use demand::{Demand, Ungranted};
pub use deny::DenyError;
pub(crate) use deny::can_be_denied;
pub use difference::{Change, Difference, differences};
pub use finish::{Finish, FinishError, Finishing};
pub(crate) use finish::{FinishErrand, LONGEST};
pub(crate) use fit::{FitErrand, Side};
pub use inspect::{Externs, InvalidWasm, Kind, externs, validate};
pub(crate) use publish::{BreakingErrand, EncodeErrand, StampErrand};
pub use stamp::{Stamp, StampError, stamp};
