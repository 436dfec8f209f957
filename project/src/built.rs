//! A build that is over.

use cache::StoreError;
use engine::{Export, Outcome, Status};

use crate::Error;

/// A build that is over, whether it succeeded or not.
#[derive(Debug)]
pub struct Built {
    /// The outcome, which says how each action ended.
    pub outcome: Outcome,
    /// The path to which each component was to be written, in the order of the plan.
    pub exports: Vec<Export>,
    /// The error if the store could not be tidied up afterwards. It does not affect the build itself.
    pub untidy: Option<StoreError>,
}

impl Built {
    /// Returns the outcome of the build if it succeeded.
    ///
    /// # Errors
    /// [`Error::NotBuilt`].
    pub fn into_success(self) -> Result<Outcome, Error> {
        match self.outcome.status {
            Status::Succeeded => Ok(self.outcome),
            Status::Failed | Status::Interrupted => Err(Error::NotBuilt(Box::new(self.outcome))),
        }
    }
}
