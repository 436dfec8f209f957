//! Content-addressed store and action cache.
