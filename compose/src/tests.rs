//! Composes components that are made of WIT alone.

mod fixture;
mod hostile;
mod linking;
mod metadata;
mod refusal;
mod sharing;
mod speed;
