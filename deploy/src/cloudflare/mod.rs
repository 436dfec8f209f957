//! Cloudflare Workers: uploads bundles by the Workers API.
//!
//! [`Options`] are the keys that a profile may have. [`Cloudflare::plan`] asks what is deployed already, writes
//! nothing, and gives a [`Plan`]: everything that would change. [`Cloudflare::apply`] changes it. So a dry run is a
//! plan that is not applied.
//!
//! **A worker is recognised by its digest.** The variable `RUN_DIGEST` of a worker has the digest of everything that
//! was uploaded: modules, variables and settings. The variable belongs to the uploaded version, so an upload by
//! somebody else or a return to an older version is noticed. A worker with the same digest is not uploaded again.
//!
//! **The token goes to the base URL only.** Redirects are not followed, and no error, event or `Debug` output has it.

mod api;
mod failure;
mod multipart;
mod options;
mod plan;
mod worker;

pub use api::{Cloudflare, Event, Settings};
pub use failure::{ApiError, Permission};
pub use options::{OptionError, Options, PerComponent};
pub use plan::{Deployed, Plan};
pub use worker::{NameError, Worker};

/// The address of the API, unless `CLOUDFLARE_API_BASE_URL` gives another one.
pub const BASE_URL: &str = "https://api.cloudflare.com/client/v4";

/// The largest size of all modules of a worker, in bytes, on every plan. It holds since September 2026, when the
/// limits of the compressed size were abolished.
pub const SIZE_LIMIT: u64 = 64 << 20;

/// The compatibility date of workers whose profile gives none. It is fixed, so that the same project is deployed in
/// the same way tomorrow. JSPI needs none of the flags.
pub const COMPATIBILITY_DATE: &str = "2026-11-01";

/// The variable that has the digest of what was uploaded.
pub const DIGEST_VARIABLE: &str = "RUN_DIGEST";
