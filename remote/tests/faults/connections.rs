//! Connections that break, or carry next to nothing.

use crate::fault::Fault;
use crate::runner::try_all;

#[test]
fn connections_that_break() {
    try_all(&[Fault::Reset, Fault::Close, Fault::GoAway]);
}

#[test]
fn connections_that_are_slow_or_silent() {
    try_all(&[Fault::Drip, Fault::Stall]);
}

#[test]
fn certificates_that_are_wrong() {
    try_all(&[Fault::ExpiredCertificate, Fault::UntrustedCertificate]);
}
