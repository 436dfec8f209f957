//! JSON as it is read from strangers: bounded, and with each key once.
//!
//! RFC 8259 leaves open what an object with the same key twice means. Readers differ, so two tools could take the
//! same signed bytes for two different claims. Such a text is refused here wherever in it the key stands, also in
//! parts that are not looked at.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};

use crate::text::printable;

/// The most bytes that a JSON text may have.
pub(crate) const LIMIT: usize = 64 << 20;

/// The reason why a JSON text is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is too long.
    #[error("it has {size} bytes, and at most {LIMIT} are read")]
    TooLong {
        /// The number of its bytes.
        size: usize,
    },
    /// An object has a key twice.
    #[error("an object has the key `{0}` twice")]
    Duplicate(String),
    /// The text is no JSON, or has other keys and values than expected.
    #[error("it is malformed: {0}")]
    Malformed(String),
}

/// Reads a JSON text.
///
/// # Errors
/// The text is too long, has a key twice, is followed by something else, or is not what `T` expects.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    if bytes.len() > LIMIT {
        return Err(JsonError::TooLong { size: bytes.len() });
    }
    let mut duplicate = None;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let walked = Walk(&mut duplicate).deserialize(&mut deserializer);
    if let Some(key) = duplicate {
        return Err(JsonError::Duplicate(printable(&key, 80)));
    }
    walked.and_then(|()| deserializer.end()).map_err(|error| malformed(&error))?;
    serde_json::from_slice(bytes).map_err(|error| malformed(&error))
}

fn malformed(error: &serde_json::Error) -> JsonError {
    JsonError::Malformed(printable(&error.to_string(), 300))
}

/// Walks through a value, and keeps the first key that an object has twice. `serde_json` limits the depth.
struct Walk<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Walk(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if seen.contains(&key) {
                *self.0 = Some(key);
                return Err(A::Error::custom("a key stands twice"));
            }
            seen.insert(key);
            entries.next_value_seed(Walk(self.0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<(), JsonError>) {
        assert_eq!(read::<serde_json::Value>(text.as_bytes()).map(|_| ()), expect, "{text}");
    }

    #[test]
    fn a_key_stands_once_in_an_object() {
        let twice = |key: &str| Err(JsonError::Duplicate(key.to_owned()));
        check(r#"{"a":1,"b":{"a":[{"a":null},{"a":true}]}}"#, Ok(()));
        check(r#"{"a":1,"a":1}"#, twice("a"));
        check(r#"{"a":1,"\u0061":2}"#, twice("a"));
        check(r#"[0,-1,1.5,"x",{"b":[{"c":1,"c":2}]}]"#, twice("c"));
        check(r#"{"":1,"":2}"#, twice(""));
    }

    #[test]
    fn nothing_follows_the_text_and_nothing_is_cut_off() {
        for text in ["", "{", "{}{}", "{} x", r#"{"a":1,}"#, "nul", "\u{feff}{}"] {
            let read = read::<serde_json::Value>(text.as_bytes());
            assert!(matches!(read, Err(JsonError::Malformed(_))), "{text}");
        }
        assert!(read::<serde_json::Value>(&[b'"', 0xff, b'"']).is_err());
        assert!(read::<serde_json::Value>("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn a_text_has_a_limit() {
        let text = vec![b' '; LIMIT + 1];
        let size = LIMIT + 1;
        assert_eq!(read::<serde_json::Value>(&text), Err(JsonError::TooLong { size }));
    }
}
