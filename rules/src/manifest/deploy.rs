//! Reads `[deploy.NAME]`: named deployment profiles.
//!
//! The options of a profile are kept as they are. What they mean is known to the target alone.

use std::collections::BTreeMap;

use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::choice::TargetType;
use super::diagnostic::Diagnostic;
use super::invalid::Invalid;
use super::keys::Section;
use super::name::ProfileName;
use super::span::{Span, Spanned};
use super::table::{self, Findings, Reader, Value};

/// A deployment profile.
#[derive(Clone, Debug, PartialEq)]
pub struct DeployProfile {
    /// The kind of target that it deploys to.
    pub target_type: Spanned<TargetType>,
    /// The provider of the edge network, for the target type `edge`.
    pub provider: Option<Spanned<String>>,
    /// The options of the target. Which keys exist depends on the target.
    pub options: BTreeMap<String, Spanned<toml::Value>>,
    /// The place of the profile's heading.
    pub span: Span,
}

/// Reads all profiles.
pub(super) fn read_all(
    table: &DeTable<'_>,
    findings: &mut Findings,
) -> BTreeMap<ProfileName, DeployProfile> {
    table::read_entries(table, findings, read)
}

/// Reads one profile.
fn read(
    key: Spanned<&str>,
    value: &Value<'_>,
    findings: &mut Findings,
) -> Option<(ProfileName, DeployProfile)> {
    let name = table::accept(findings, key.span, key.value.parse::<ProfileName>());
    let DeValue::Table(table) = value.get_ref() else {
        let what = format!("deployment profile `{}`", key.value);
        findings.push(
            table::wrong_type(&what, value, "a table")
                .help("name the profile in the heading, like `[deploy.production]`"),
        );
        return None;
    };
    let heading = format!("`[deploy.{}]`", key.value);
    let mut reader = Reader::new(heading, value.span(), table, Section::Deploy.keys(), findings);
    let target_type = reader.required::<TargetType>("target_type", "edge");
    let provider = reader.value("provider", provider);
    let options = read_options(&mut reader);
    if let Some(target_type) = &target_type {
        check_provider(&mut reader, target_type);
    }
    let span = reader.span();
    Some((name?.value, DeployProfile { target_type: target_type?, provider, options, span }))
}

fn provider(text: &str) -> Result<String, Invalid> {
    if text.trim().is_empty() { Err(Invalid::empty("provider")) } else { Ok(text.to_owned()) }
}

/// Warns if a profile for an edge network has no provider, or if one for a registry has one.
fn check_provider(reader: &mut Reader<'_, '_>, target_type: &Spanned<TargetType>) {
    match (target_type.value, reader.key("provider")) {
        (TargetType::Edge, None) => reader.report_missing(
            &["provider"],
            Diagnostic::warning(target_type.span, "the profile does not say whose edge network")
                .label("expected a `provider` beside it"),
        ),
        (TargetType::Registry, Some(span)) => reader.report(
            Diagnostic::warning(span, "`provider` means nothing to a registry")
                .label("this has no effect"),
        ),
        (TargetType::Edge, Some(_)) | (TargetType::Registry, None) => {}
    }
}

fn read_options(reader: &mut Reader<'_, '_>) -> BTreeMap<String, Spanned<toml::Value>> {
    let mut options = BTreeMap::new();
    for (key, value) in reader.entries("options") {
        if let Some(value) = reader.check(value.span(), to_value(value.get_ref())) {
            options.insert(key.value.to_owned(), value);
        }
    }
    options
}

/// Converts a parsed value to one without places.
fn to_value(value: &DeValue<'_>) -> Result<toml::Value, Invalid> {
    Ok(match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(number) => toml::Value::Integer(integer(number)?),
        DeValue::Float(number) => toml::Value::Float(
            number.as_str().replace('_', "").parse().map_err(|_| out_of_range(number.as_str()))?,
        ),
        DeValue::Boolean(flag) => toml::Value::Boolean(*flag),
        DeValue::Datetime(time) => toml::Value::Datetime(*time),
        DeValue::Array(array) => to_array(array)?,
        DeValue::Table(table) => to_table(table)?,
    })
}

fn to_array(array: &DeArray<'_>) -> Result<toml::Value, Invalid> {
    let items: Result<Vec<_>, _> = array.iter().map(|item| to_value(item.get_ref())).collect();
    Ok(toml::Value::Array(items?))
}

fn to_table(table: &DeTable<'_>) -> Result<toml::Value, Invalid> {
    let entry = |(key, value): (&toml::Spanned<_>, &Value<'_>)| {
        Ok((std::string::ToString::to_string(key.get_ref()), to_value(value.get_ref())?))
    };
    table.iter().map(entry).collect::<Result<_, _>>().map(toml::Value::Table)
}

fn integer(number: &DeInteger<'_>) -> Result<i64, Invalid> {
    let digits = number.as_str().replace('_', "");
    i64::from_str_radix(&digits, number.radix()).map_err(|_| out_of_range(number.as_str()))
}

fn out_of_range(number: &str) -> Invalid {
    Invalid::new(format!("`{number}` is too big"), "expected a number of at most 64 bits")
}
