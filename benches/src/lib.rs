//! Benchmarks of run.
