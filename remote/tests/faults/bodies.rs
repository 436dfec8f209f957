//! Bodies that are not what they should be.

use crate::fault::Fault;
use crate::runner::try_all;

#[test]
fn bodies_that_are_cut_or_changed() {
    try_all(&[Fault::CutAnswer, Fault::FlipInAnswer, Fault::CutRequest, Fault::FlipInRequest]);
}

#[test]
fn answers_to_another_question() {
    let lies = [Fault::OtherBlob, Fault::OtherResult, Fault::ForgedResult, Fault::BlobsGone];
    try_all(&lies);
}

#[test]
fn bodies_that_are_none_or_far_too_large() {
    try_all(&[Fault::Garbage, Fault::Bomb, Fault::HugeHead, Fault::HugeBody]);
}
