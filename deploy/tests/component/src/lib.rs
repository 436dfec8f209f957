//! A web service whose paths try what an edge network has to get right.

#[cfg(feature = "tells")]
mod tells;
#[cfg(not(feature = "tells"))]
mod web;
