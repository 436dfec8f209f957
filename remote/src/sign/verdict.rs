//! Signs results, and judges the signatures of others.

use cache::{Digest, reapi};
use prost::Message as _;

use super::keys::{PublicKey, SigningKey};
use super::statement::statement;

/// The type under which a signature stands in a result's metadata.
const TYPE_URL: &str = "type.googleapis.com/run.cache.v1.Signature";

const ALGORITHM: &str = "ed25519";

/// A signature on a result.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Signature {
    /// The short name of the key ([`PublicKey::id`]).
    #[prost(string, tag = "1")]
    key_id: String,
    /// The algorithm, which is `ed25519`.
    #[prost(string, tag = "2")]
    algorithm: String,
    /// The signature of the statement.
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
}

/// The worth of the signatures of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A trusted key has signed exactly this.
    Signed,
    /// No trusted key claims to have signed this.
    Unsigned,
    /// A signature names a trusted key, and that key has not signed this.
    Forged,
}

/// Signs a result, in place of all signatures that it has. A result without a statement stays unsigned.
pub(crate) fn sign(signer: &SigningKey, key: &Digest, result: &mut reapi::ActionResult) {
    let Some(statement) = statement(key, result) else { return };
    let signature = Signature {
        key_id: signer.public().id(),
        algorithm: ALGORITHM.to_owned(),
        signature: signer.sign(&statement),
    };
    let metadata = result.execution_metadata.get_or_insert_default();
    metadata.auxiliary_metadata.retain(|any| any.type_url != TYPE_URL);
    let value = signature.encode_to_vec();
    metadata.auxiliary_metadata.push(reapi::Any { type_url: TYPE_URL.to_owned(), value });
}

/// Judges the signatures of a result.
pub(crate) fn verdict(
    trusted: &[PublicKey],
    key: &Digest,
    result: &reapi::ActionResult,
) -> Verdict {
    let statement = statement(key, result);
    let mut verdict = Verdict::Unsigned;
    for signature in signatures(result) {
        for signer in trusted.iter().filter(|signer| signer.id() == signature.key_id) {
            let is_known = signature.algorithm == ALGORITHM;
            let holds = |said: &Vec<u8>| signer.has_signed(said, &signature.signature);
            if is_known && statement.as_ref().is_some_and(holds) {
                return Verdict::Signed;
            }
            verdict = Verdict::Forged;
        }
    }
    verdict
}

fn signatures(result: &reapi::ActionResult) -> impl Iterator<Item = Signature> {
    let metadata = result.execution_metadata.iter().flat_map(|all| &all.auxiliary_metadata);
    let ours = metadata.filter(|any| any.type_url == TYPE_URL);
    ours.filter_map(|any| Signature::decode(&*any.value).ok())
}

#[cfg(test)]
mod tests;
