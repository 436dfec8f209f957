//! The policy for an instance: its grants and limits, its network, and its log.

use std::fmt;
use std::sync::Arc;

use crate::grants::Grants;
use crate::keyvalue::Buckets;
use crate::limits::Limits;
use crate::log::{Log, Silence};
use crate::network::Network;
use crate::outgoing::Responder;

/// Everything that the host decides about the instances of a component.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) grants: Grants,
    pub(crate) limits: Limits,
    pub(crate) log: Arc<dyn Log>,
    /// The function that answers outgoing HTTP requests in place of a network.
    pub(crate) responder: Option<Responder>,
    /// The network through which outgoing HTTP requests go.
    pub(crate) network: Option<Network>,
    /// The key-value stores.
    pub(crate) buckets: Buckets,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            grants: Grants::default(),
            limits: Limits::default(),
            log: Arc::new(Silence),
            responder: None,
            network: None,
            buckets: Buckets::default(),
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("grants", &self.grants).finish_non_exhaustive()
    }
}
