//! The state that the answers to all requests share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use runtime::Tasks;
use tokio::sync::Semaphore;

use crate::board::Board;
use crate::front::Front;
use crate::knobs::Knobs;
use crate::site::Site;

/// The number of pages that may listen to events at once.
const MOST_LISTENERS: usize = 200;

/// Everything that answers requests.
pub(crate) struct App {
    pub(crate) site: ArcSwap<Site>,
    pub(crate) board: Arc<Board>,
    pub(crate) knobs: Arc<Knobs>,
    pub(crate) front: Arc<dyn Front>,
    /// The name under which the user lets others reach this server.
    pub(crate) own_host: Option<String>,
    /// The tasks that send events.
    pub(crate) tasks: Tasks,
    pub(crate) listeners: Arc<Semaphore>,
}

impl App {
    pub(crate) fn new(
        board: Arc<Board>,
        knobs: Arc<Knobs>,
        front: Arc<dyn Front>,
        own_host: Option<String>,
    ) -> Self {
        let site = ArcSwap::from_pointee(Site::empty());
        let listeners = Arc::new(Semaphore::new(MOST_LISTENERS));
        Self { site, board, knobs, front, own_host, tasks: Tasks::default(), listeners }
    }
}
