//! Action graph, keys, scheduler and incremental state.
