//! Runs work that blocks on threads that may block. The runtime has a fixed number of them (see `Server::run`), so the disk
//! sees a bounded number of requests at once, and the others wait.

use crate::failure::Failure;

/// Runs `work` on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Failure::of_thread(error)))
}
