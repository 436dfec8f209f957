//! Limits of an instance: memory, time, and the size of what it is sent.

use std::time::Duration;

use wasmtime::{ResourceLimiter, format_err};

/// The limits of one instance of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The number of bytes that all memories of the instance may have together.
    pub memory: u64,
    /// The time that it may take, waiting included.
    pub timeout: Option<Duration>,
    /// The number of bytes that the body of a request to it may have.
    pub body: u64,
}

impl Default for Limits {
    /// 1 GiB of memory, no limit of time, and 64 MiB for a request.
    fn default() -> Self {
        Self { memory: 1 << 30, timeout: None, body: 64 << 20 }
    }
}

/// The number of elements that all tables of an instance may have together.
const TABLE_ELEMENTS: usize = 4 << 20;

/// Counts what an instance uses, and ends it with a trap when it exceeds its limits.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: u64,
    memory: u64,
    elements: usize,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limit: limits.memory, memory: 0, elements: 0 }
    }
}

/// The error that an instance exceeded its memory.
#[derive(Debug, thiserror::Error)]
#[error("it needs more memory than its limit of {} MiB", .limit >> 20)]
pub(crate) struct OutOfMemory {
    limit: u64,
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = u64::try_from(desired.saturating_sub(current)).unwrap_or(u64::MAX);
        let memory = self.memory.saturating_add(growth);
        if memory > self.limit {
            return Err(OutOfMemory { limit: self.limit }.into());
        }
        self.memory = memory;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.elements = self.elements.saturating_add(desired.saturating_sub(current));
        if self.elements > TABLE_ELEMENTS {
            return Err(format_err!("its tables need more than {TABLE_ELEMENTS} elements"));
        }
        Ok(true)
    }
}
