//! Reads the parts that many requests have: the instance, the digest function, digests.

use std::sync::Arc;

use bazel_remote_apis::build::bazel::remote::execution::v2 as proto;
use cache::{Digest, DigestFunction, reapi};
use proto::digest_function::Value;
use tonic::{Request, Status};

use super::Services;
use crate::exchange::Exchange;
use crate::failure::Failure;

impl Services {
    /// Refuses an instance that is not served.
    pub(super) fn check_instance(&self, instance: &str) -> Result<(), Failure> {
        match &self.app.instance {
            Some(served) if served != instance => {
                Err(Failure::Invalid(format!("there is no instance `{instance}` here")))
            }
            _ => Ok(()),
        }
    }

    /// Notes what only the server's operator may know of a failure, and turns it into an answer.
    pub(super) fn refuse(exchange: &Exchange, failure: Failure) -> Status {
        exchange.failed(&failure);
        failure.into()
    }
}

/// Returns the exchange that the request belongs to.
pub(super) fn exchange<T>(request: &Request<T>) -> Arc<Exchange> {
    let exchange = request.extensions().get::<Arc<Exchange>>();
    Arc::clone(exchange.expect("`Front::answer` gives every request an exchange"))
}

/// Reads a digest function. A client that names none means the one that fits the length of its hashes, and 64 digits mean
/// SHA-256 (see `digest_function` in the requests of the API).
pub(super) fn function(value: i32) -> Result<DigestFunction, Failure> {
    match Value::try_from(value) {
        Ok(Value::Unknown | Value::Sha256) => Ok(DigestFunction::Sha256),
        Ok(Value::Blake3) => Ok(DigestFunction::Blake3),
        Ok(other) => {
            let name = other.as_str_name();
            Err(Failure::Invalid(format!("the digest function {name} is not supported")))
        }
        Err(_) => Err(Failure::Invalid(format!("there is no digest function {value}"))),
    }
}

/// Reads a digest.
pub(super) fn digest(
    function: DigestFunction,
    digest: Option<&proto::Digest>,
) -> Result<Digest, Failure> {
    let digest = digest.ok_or_else(|| Failure::Invalid("the digest is missing".to_owned()))?;
    let wire = reapi::Digest { hash: digest.hash.clone(), size_bytes: digest.size_bytes };
    Digest::from_reapi(function, &wire).map_err(|error| Failure::Invalid(error.to_string()))
}

/// Converts a digest to the type of the generated services.
pub(super) fn to_proto(digest: &Digest) -> proto::Digest {
    let wire = digest.to_reapi();
    proto::Digest { hash: wire.hash, size_bytes: wire.size_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_by_number() {
        let check = |value: i32, expect: Option<DigestFunction>| {
            assert_eq!(function(value).ok(), expect, "{value}");
        };
        check(0, Some(DigestFunction::Sha256));
        check(Value::Sha256 as i32, Some(DigestFunction::Sha256));
        check(Value::Blake3 as i32, Some(DigestFunction::Blake3));
        check(Value::Sha1 as i32, None);
        check(-1, None);
        check(1000, None);
    }
}
