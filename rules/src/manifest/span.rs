//! The places of elements in `run.toml`.
//!
//! Every element of the model carries its [`Span`], so that an error found long after parsing (a
//! missing export, a capability that was not granted) can still point at the line to change.

use std::ops::{Deref, Range};

/// A half-open range of byte offsets into the text of `run.toml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The offset of the first byte.
    pub start: usize,
    /// The offset just after the last byte.
    pub end: usize,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// A value together with its place in `run.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// The place where the value is written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Joins a value to its place.
    pub fn new(value: T, span: impl Into<Span>) -> Self {
        Self { value, span: span.into() }
    }

    /// Makes another value of this one, which keeps the place.
    pub(super) fn map<U>(self, make: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: make(self.value), span: self.span }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A value that is written in `run.toml` or, if it is not, implied by a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value that is used.
    pub value: T,
    /// The place where it is written. `None` for a default and for a value from the environment.
    pub span: Option<Span>,
}

impl<T> Setting<T> {
    /// Makes a setting of a value that is not written in the file.
    pub fn implied(value: T) -> Self {
        Self { value, span: None }
    }

    /// Returns the written value, or else the default.
    pub(super) fn or(written: Option<Spanned<T>>, default: T) -> Self {
        written.map_or_else(|| Self::implied(default), Self::from)
    }
}

impl<T> From<Spanned<T>> for Setting<T> {
    fn from(Spanned { value, span }: Spanned<T>) -> Self {
        Self { value, span: Some(span) }
    }
}

impl<T> Deref for Setting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
