//! The site: everything that is in service, as one value that is replaced as a whole, so that every request sees one version of all components.
//!
//! A request keeps the value that it began with. So a component that was replaced goes on until its last request has ended,
//! and then nothing is left of it.

use std::sync::Arc;

use cache::Digest;
use hyper::Method;
use runtime::Handler;

use crate::log::ComponentLog;
use crate::route::Routes;

/// Everything that is in service.
pub(crate) struct Site {
    pub(crate) routes: Routes<Target>,
    /// A name of everything that is in service, and of the files that components may read.
    pub(crate) version: String,
}

/// The target that a route leads to.
#[derive(Clone)]
pub(crate) enum Target {
    /// A component that answers requests.
    Serving(Arc<Served>),
    /// A component that was never built, or could not be loaded.
    Missing {
        /// Its name.
        component: String,
    },
}

/// A version of a component that answers requests.
pub(crate) struct Served {
    pub(crate) component: String,
    pub(crate) digest: Digest,
    pub(crate) handler: Handler,
    pub(crate) log: Arc<ComponentLog>,
}

impl Site {
    /// Returns a site that serves nothing.
    pub(crate) fn empty() -> Self {
        Self { routes: Routes::new([]), version: String::new() }
    }
}

/// Returns the beginning of a digest's hash, which is enough to tell versions apart.
pub(crate) fn short(digest: &Digest) -> String {
    let hash = digest.hash();
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Tells if a method never changes anything, so that a browser may repeat the request.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}
