//! How long units are, in metres.

/// The international foot.
pub const FOOT: f64 = 0.3048;
/// The international mile.
pub const MILE: f64 = 5280.0 * FOOT;
