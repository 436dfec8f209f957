//! The scheduler; follows.

use crate::{Build, BuildError, Outcome};

pub(crate) fn run(_build: Build<'_>) -> Result<Outcome, BuildError> {
    todo!()
}
