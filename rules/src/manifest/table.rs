//! Gives typed access to one table of `run.toml` and collects what is wrong with it.
//!
//! A reader knows which keys its table may have and refuses all others at once. Its methods never stop at an
//! error. They report it and return nothing, so that the rest of the file is still read.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostic;
use super::invalid::Invalid;
use super::keys;
use super::span::{Span, Spanned};
use super::suggest;

/// The findings so far. They become [`Diagnostics`](super::Diagnostics) at the end.
pub(super) type Findings = Vec<Diagnostic>;

/// A value of the parsed file, with its place.
pub(super) type Value<'t> = toml::Spanned<DeValue<'t>>;

/// A reader of one table.
pub(super) struct Reader<'t, 'f> {
    /// The name of the table in messages.
    name: String,
    span: Span,
    table: &'t DeTable<'t>,
    /// Keys that the table has in a misspelt form, which has been reported.
    misspelt: Vec<&'static str>,
    findings: &'f mut Findings,
}

impl<'t, 'f> Reader<'t, 'f> {
    /// Starts to read a table, called `name` in messages, and refuses all keys but the given ones.
    pub(super) fn new(
        name: String,
        span: impl Into<Span>,
        table: &'t DeTable<'t>,
        keys: &[&'static str],
        findings: &'f mut Findings,
    ) -> Self {
        let is_unknown = |key: &str| !keys.contains(&key);
        let mut misspelt = Vec::new();
        // Nearly every table has no such key, and need not be sorted.
        if table.keys().any(|key| is_unknown(key.get_ref())) {
            for (key, _) in in_file_order(table).into_iter().filter(|(key, _)| is_unknown(key)) {
                misspelt.extend(suggest::nearest(key.value, keys.iter().copied()));
                findings.push(keys::unknown_key(key, &name, keys));
            }
        }
        Self { name, span: span.into(), table, misspelt, findings }
    }

    /// Returns the name of the table in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the place of the table: its heading, or the whole of an inline table.
    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// Reports what a reader of single values can't see.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.findings.push(diagnostic);
    }

    /// Returns the place of a key, if the table has it.
    pub(super) fn key(&self, key: &str) -> Option<Span> {
        self.table.get_key_value(key).map(|(key, _)| key.span().into())
    }

    /// Reports that all of these keys are missing, unless one of them is only misspelt.
    pub(super) fn report_missing(&mut self, keys: &[&str], diagnostic: Diagnostic) {
        if !keys.iter().any(|key| self.misspelt.contains(key)) {
            self.report(diagnostic.absence());
        }
    }

    /// Reads a string as it is.
    pub(super) fn text(&mut self, key: &str) -> Option<Spanned<String>> {
        self.value(key, |text| Ok(text.to_owned()))
    }

    /// Reads a string and parses it as a value of some type.
    pub(super) fn parse<T: FromStr<Err = Invalid>>(&mut self, key: &str) -> Option<Spanned<T>> {
        self.value(key, str::parse)
    }

    /// Reads like [`parse`](Self::parse) a key that must exist. `example` is shown in the error if it is
    /// missing.
    pub(super) fn required<T>(&mut self, key: &str, example: &str) -> Option<Spanned<T>>
    where
        T: FromStr<Err = Invalid>,
    {
        if self.table.contains_key(key) {
            return self.parse(key);
        }
        let message = format!("`{key}` is missing in {}", self.name);
        let diagnostic = Diagnostic::error(self.span, message)
            .label(format!("expected `{key} = \"{example}\"` below"));
        self.report_missing(&[key], diagnostic);
        None
    }

    /// Reads a string that `parse` turns into a value.
    pub(super) fn value<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Option<Spanned<T>> {
        let value = self.table.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, "a string");
            return None;
        };
        self.check(value.span(), parse(text))
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self, key: &str) -> Option<Spanned<bool>> {
        let value = self.table.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(Spanned::new(*flag, value.span())),
            _ => {
                self.wrong_type(key, value, "`true` or `false`");
                None
            }
        }
    }

    /// Reads a TCP port.
    pub(super) fn port(&mut self, key: &str) -> Option<Spanned<u16>> {
        self.number(key, "port", u16::MAX)
    }

    /// Reads a number from 1 to `most`. `what` says in messages what it counts or names.
    pub(super) fn number(&mut self, key: &str, what: &str, most: u16) -> Option<Spanned<u16>> {
        self.number_from(key, what, 1..=most)
    }

    /// Reads a number of a range. `what` says in messages what it counts or names.
    pub(super) fn number_from(
        &mut self,
        key: &str,
        what: &str,
        range: RangeInclusive<u16>,
    ) -> Option<Spanned<u16>> {
        let value = self.table.get(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong_type(key, value, "a number");
            return None;
        };
        let digits = number.as_str().replace('_', "");
        let read = u16::from_str_radix(&digits, number.radix()).ok();
        let read = read.filter(|read| range.contains(read));
        let invalid = || {
            let expected = format!("expected a number from {} to {}", range.start(), range.end());
            Invalid::new(format!("`{number}` is not a {what}"), expected)
        };
        self.check(value.span(), read.ok_or_else(invalid))
    }

    /// Reads an array of strings, each of which is parsed as a value of some type. It is empty if the key is
    /// missing.
    pub(super) fn list<T: FromStr<Err = Invalid>>(&mut self, key: &str) -> Vec<Spanned<T>> {
        self.list_of(key, str::parse)
    }

    /// Reads an array of strings that `parse` turns into values.
    pub(super) fn list_of<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Invalid>,
    ) -> Vec<Spanned<T>> {
        let Some(value) = self.table.get(key) else { return Vec::new() };
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong_type(key, value, "an array of strings");
            return Vec::new();
        };
        let read = |item: &Value<'_>| match item.get_ref().as_str() {
            Some(text) => self.check(item.span(), parse(text)),
            None => {
                self.wrong_type(key, item, "an array of strings");
                None
            }
        };
        array.iter().filter_map(read).collect()
    }

    /// Reads the entries of a table below this one, in the order of the file. There are none if the key is
    /// missing.
    pub(super) fn entries(&mut self, key: &str) -> Vec<(Spanned<&'t str>, &'t Value<'t>)> {
        let Some(value) = self.table.get(key) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(key, value, "a table");
            return Vec::new();
        };
        in_file_order(table)
    }

    /// Turns an invalid value into a finding and a valid one into a value with its place.
    pub(super) fn check<T>(
        &mut self,
        span: impl Into<Span>,
        result: Result<T, Invalid>,
    ) -> Option<Spanned<T>> {
        accept(self.findings, span, result)
    }

    /// Reports a value of the wrong type.
    pub(super) fn wrong_type(&mut self, key: &str, value: &Value<'_>, expected: &str) {
        self.findings.push(wrong_type(&format!("`{key}` in {}", self.name), value, expected));
    }
}

/// Returns the entries of a table in the order of the file, so that reports and the model follow it.
pub(super) fn in_file_order<'t>(table: &'t DeTable<'t>) -> Vec<(Spanned<&'t str>, &'t Value<'t>)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| (Spanned::new(key.get_ref().as_ref(), key.span()), value))
        .collect();
    entries.sort_by_key(|(key, _)| key.span);
    entries
}

/// Reads all entries of a table whose keys the user chooses.
pub(super) fn read_entries<K: Ord, T>(
    table: &DeTable<'_>,
    findings: &mut Findings,
    read: impl Fn(Spanned<&str>, &Value<'_>, &mut Findings) -> Option<(K, T)>,
) -> BTreeMap<K, T> {
    let entries = in_file_order(table).into_iter();
    entries.filter_map(|(key, value)| read(key, value, findings)).collect()
}

/// Turns an invalid value into a finding at its place, and a valid one into a value with its place.
pub(super) fn accept<T>(
    findings: &mut Findings,
    span: impl Into<Span>,
    result: Result<T, Invalid>,
) -> Option<Spanned<T>> {
    let span = span.into();
    match result {
        Ok(value) => Some(Spanned::new(value, span)),
        Err(Invalid { message, expected, help }) => {
            let finding = Diagnostic::error(span, message).label(expected);
            findings.push(help.into_iter().fold(finding, Diagnostic::help));
            None
        }
    }
}

/// Returns a finding about a value of the wrong type.
pub(super) fn wrong_type(what: &str, value: &Value<'_>, expected: &str) -> Diagnostic {
    let found = describe(value.get_ref());
    let message = format!("{what} must be {expected}, found {found}");
    let diagnostic =
        Diagnostic::error(Span::from(value.span()), message).label(format!("expected {expected}"));
    match (expected, value.get_ref()) {
        ("a string", DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_)) => {
            diagnostic.help("put it in quotes")
        }
        ("a number" | "`true` or `false`", DeValue::String(_)) => {
            diagnostic.help("remove the quotes")
        }
        ("an array of strings", DeValue::String(_)) => diagnostic.help("put it in brackets"),
        _ => diagnostic,
    }
}

/// Returns the type of a value in the words of TOML.
pub(super) fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
