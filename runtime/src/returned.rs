//! The value that a function returned, and its comparison with a text.

use std::fmt;

use wasmtime::component::wasm_wave::wasm::DisplayType;
use wasmtime::component::{Type, Val};

use crate::call::CallError;

/// The value that a function returned; nothing if the function returns nothing.
#[derive(Clone, Debug)]
pub struct Returned {
    value: Option<(Type, Val)>,
    /// The value in WAVE.
    text: Option<String>,
}

/// The comparison of a value with an expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// They are the same value.
    Same,
    /// They are different values. Both are written in the same form of WAVE.
    Different {
        /// The expected value.
        expected: String,
        /// The value of the function.
        actual: String,
    },
}

/// The error that a text can't be compared with a value.
#[derive(Debug, thiserror::Error)]
pub enum NotComparable {
    /// The function returns nothing.
    #[error("the function returns nothing, so there is no value to expect")]
    Nothing,
    /// The text is not a value of the type that the function returns.
    #[error("the function returns a `{expected}`, and `{given}` is none: {reason}")]
    OtherType {
        /// The type.
        expected: String,
        /// The text.
        given: String,
        /// The error of the WAVE parser.
        reason: String,
    },
}

impl Returned {
    /// Takes a value of a function. It has to be one that can be written as text.
    pub(crate) fn new(function: &str, value: Option<(Type, Val)>) -> Result<Self, CallError> {
        let text = value.as_ref().map(|(_, value)| value.to_wave()).transpose();
        let text = text.map_err(|error| CallError::Result {
            function: function.to_owned(),
            reason: format!("{error:#}"),
        })?;
        Ok(Self { value, text })
    }

    /// Returns the value in WAVE, if there is one.
    pub fn into_text(self) -> Option<String> {
        self.text
    }

    /// Returns the error, if the value is a `result` that is one: the text of a `string`, or else the value in WAVE.
    pub fn error(&self) -> Option<String> {
        match self.value.as_ref()? {
            (_, Val::Result(Err(None))) => Some(String::new()),
            (_, Val::Result(Err(Some(error)))) => match &**error {
                Val::String(text) => Some(text.clone()),
                error => Some(error.to_wave().unwrap_or_default()),
            },
            _ => None,
        }
    }

    /// Compares the value with one that is written in WAVE. Values are compared and not texts, so neither blanks nor the
    /// order of fields and flags make a difference.
    pub fn compare(&self, expected: &str) -> Result<Comparison, NotComparable> {
        let (ty, actual) = self.value.as_ref().ok_or(NotComparable::Nothing)?;
        let other_type = |reason: String| NotComparable::OtherType {
            expected: DisplayType(ty).to_string(),
            given: expected.to_owned(),
            reason,
        };
        let expected =
            Val::from_wave(ty, expected).map_err(|error| other_type(format!("{error:#}")))?;
        if normal(expected.clone()) == normal(actual.clone()) {
            return Ok(Comparison::Same);
        }
        let expected = expected.to_wave().map_err(|error| other_type(format!("{error:#}")))?;
        Ok(Comparison::Different { expected, actual: self.to_string() })
    }
}

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.as_deref().unwrap_or("nothing"))
    }
}

/// Returns the same value with all flags in alphabetical order. Fields are always in the order of their type.
fn normal(value: Val) -> Val {
    let all = |values: Vec<Val>| values.into_iter().map(normal).collect();
    let inner = |value: Option<Box<Val>>| value.map(|value| Box::new(normal(*value)));
    match value {
        Val::Flags(mut names) => {
            names.sort_unstable();
            Val::Flags(names)
        }
        Val::List(values) => Val::List(all(values)),
        Val::FixedLengthList(values) => Val::FixedLengthList(all(values)),
        Val::Tuple(values) => Val::Tuple(all(values)),
        Val::Record(fields) => {
            Val::Record(fields.into_iter().map(|(name, value)| (name, normal(value))).collect())
        }
        Val::Variant(case, value) => Val::Variant(case, inner(value)),
        Val::Option(value) => Val::Option(inner(value)),
        Val::Result(Ok(value)) => Val::Result(Ok(inner(value))),
        Val::Result(Err(value)) => Val::Result(Err(inner(value))),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Runtime, fixture};

    const OPS: Option<&str> = Some("demo:calc/ops@0.1.0");

    async fn call(function: &str, args: &[&str]) -> Returned {
        let calc = Runtime::new().unwrap().load(&fixture::calc()).unwrap();
        calc.call_for_value(OPS, function, args).await.unwrap()
    }

    #[tokio::test]
    async fn values_are_compared_and_not_texts() {
        let swapped = call("swap", &["{x: 1, y: 2}"]).await;
        for same in ["{x: 2, y: 1}", "{y: 1, x: 2}", " {  x:2,y :1 } "] {
            assert_eq!(swapped.compare(same).unwrap(), Comparison::Same, "{same}");
        }
        let (expected, actual) = ("{x: 1, y: 2}".to_owned(), "{x: 2, y: 1}".to_owned());
        let different = Comparison::Different { expected, actual };
        assert_eq!(swapped.compare("{y: 2, x: 1}").unwrap(), different);
        let error = swapped.compare("7").unwrap_err().to_string();
        let expect = "the function returns a `record { x: u32, y: u32 }`, and `7` is none: ";
        assert!(error.starts_with(expect), "{error}");
        assert_eq!(swapped.error(), None);
    }

    #[tokio::test]
    async fn nothing_is_not_compared() {
        let nothing = call("nothing", &[]).await;
        assert!(matches!(nothing.compare("1"), Err(NotComparable::Nothing)));
        assert_eq!((nothing.to_string(), nothing.into_text()), ("nothing".to_owned(), None));
    }

    #[test]
    fn the_order_of_flags_makes_no_difference() {
        let flags = |names: [&str; 2]| Val::Flags(names.map(ToOwned::to_owned).to_vec());
        let nested = |names| Val::List(vec![Val::Option(Some(Box::new(flags(names))))]);
        assert_ne!(nested(["a", "b"]), nested(["b", "a"]));
        assert_eq!(normal(nested(["a", "b"])), normal(nested(["b", "a"])));
    }

    #[test]
    fn the_error_of_a_result() {
        let returned = |value| Returned { value: Some((Type::Bool, value)), text: None };
        let err = |value: Option<Val>| returned(Val::Result(Err(value.map(Box::new)))).error();
        assert_eq!(err(None).as_deref(), Some(""));
        assert_eq!(err(Some(Val::String("no".to_owned()))).as_deref(), Some("no"));
        assert_eq!(err(Some(Val::Enum("empty".to_owned()))).as_deref(), Some("empty"));
        assert_eq!(returned(Val::Result(Ok(None))).error(), None);
        assert_eq!(returned(Val::Bool(true)).error(), None);
    }
}
