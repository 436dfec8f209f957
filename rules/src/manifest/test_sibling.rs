//! Checks what must hold between tests, and between tests and the rest of the file.

use std::collections::{BTreeMap, BTreeSet};

use super::capability::Capability;
use super::component::Component;
use super::diagnostic::Diagnostic;
use super::parts::Parts;
use super::span::{Span, Spanned};
use super::suggest;
use super::table::Findings;
use super::test::Test;

/// Checks the tests of a file, and the components that only tests use.
pub(super) fn check(parts: &Parts, findings: &mut Findings) {
    refuse_dependents(&parts.components, findings);
    check_names(parts, findings);
    if parts.tests.is_empty() {
        return;
    }
    let by_name: BTreeMap<&str, &Component> =
        parts.components.iter().map(|component| (component.name.as_str(), component)).collect();
    let written: BTreeSet<&str> = parts.names.iter().map(|name| name.value.as_str()).collect();
    let mut suggestions = suggest::Budget::default();
    for test in &parts.tests {
        let name = &test.component;
        match by_name.get(name.as_str()) {
            Some(component) => check_component(test, component, findings),
            // The component exists, but was reported as invalid.
            None if written.contains(name.as_str()) => {}
            None => {
                let nearest = suggestions.nearest(name.as_str(), written.iter().copied());
                let label = nearest.map_or_else(
                    || "expected the name of a component".to_owned(),
                    |nearest| format!("did you mean `{nearest}`?"),
                );
                let message = format!("there is no component `{}`", name.value);
                findings.push(Diagnostic::error(name.span, message).label(label).absence());
            }
        }
        check_packages(test, parts, &mut suggestions, findings);
    }
}

/// Refuses components of the project that depend on one that only tests use.
fn refuse_dependents(components: &[Component], findings: &mut Findings) {
    let of_tests: BTreeMap<&str, Option<Span>> = components
        .iter()
        .filter(|component| *component.test)
        .map(|component| (component.name.as_str(), component.test.span))
        .collect();
    if of_tests.is_empty() {
        return;
    }
    for component in components.iter().filter(|component| !*component.test) {
        for dependency in &component.dependencies {
            let Some(span) = of_tests.get(dependency.as_str()) else { continue };
            let message = format!("component `{}` is for tests", dependency.value);
            let finding = Diagnostic::error(dependency.span, message)
                .label(format!("`{}` is no test, so it cannot need it", component.name.value));
            findings.push(match span {
                Some(span) => finding.related(*span, "said here"),
                None => finding,
            });
        }
    }
}

/// Refuses a name that two tests have. A component of tests that no `[[test]]` names is a test of its own name.
fn check_names(parts: &Parts, findings: &mut Findings) {
    let named: BTreeSet<&str> =
        parts.tests.iter().map(|test| test.component.value.as_str()).collect();
    let mut seen: BTreeMap<&str, Span> = parts
        .components
        .iter()
        .filter(|component| *component.test && !named.contains(component.name.as_str()))
        .map(|component| (component.name.value.as_str(), component.name.span))
        .collect();
    for test in &parts.tests {
        let Spanned { value, span } = &test.name;
        if let Some(first) = seen.get(value.as_str()) {
            findings.push(
                Diagnostic::error(*span, format!("two tests are named `{value}`"))
                    .label("expected another name")
                    .related(*first, "first used here"),
            );
        } else {
            seen.insert(value.as_str(), *span);
        }
    }
}

fn check_component(test: &Test, component: &Component, findings: &mut Findings) {
    if let Some(span) = component.enabled.span.filter(|_| !*component.enabled) {
        let message = format!("component `{}` is disabled", component.name.value);
        findings.push(
            Diagnostic::error(test.component.span, message)
                .label(format!("test `{}` needs it", test.name.value))
                .related(span, "disabled here"),
        );
    }
    if let Some(package) = test.with.first().filter(|_| *component.test) {
        findings.push(
            Diagnostic::error(package.span, "a component of tests has no need of `with`")
                .label("expected only in tests of other components")
                .help(
                    "it is composed with all of `[dev_dependencies]` that export what it imports",
                ),
        );
    }
    let granted = test.capabilities.as_ref().unwrap_or(&component.capabilities);
    for (name, value) in &test.env {
        let is_granted = granted.iter().any(|capability| match &capability.value {
            Capability::Env(None) => true,
            Capability::Env(Some(granted)) => granted == name,
            _ => false,
        });
        if !is_granted {
            let message = format!("component `{}` may not read `{name}`", component.name.value);
            findings.push(
                Diagnostic::error(value.span, message)
                    .label(format!("expected `env:{name}` among its `capabilities`")),
            );
        }
    }
}

fn check_packages(
    test: &Test,
    parts: &Parts,
    suggestions: &mut suggest::Budget,
    findings: &mut Findings,
) {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    for package in &test.with {
        let name = package.value.to_string();
        if let Some(first) = seen.insert(name.clone(), package.span) {
            let message = format!("package `{name}` is listed twice");
            findings.push(
                Diagnostic::warning(package.span, message)
                    .label("this one has no effect")
                    .related(first, "first listed here"),
            );
        }
        if parts.dev_dependencies.contains_key(&package.value) {
            continue;
        }
        let known: Vec<String> = parts.dev_dependencies.keys().map(ToString::to_string).collect();
        let nearest = suggestions.nearest(&name, known.iter().map(String::as_str));
        let label = match nearest {
            _ if parts.dependencies.contains_key(&package.value) => {
                "it is in `[dependencies]`, whose components are always used".to_owned()
            }
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "expected a package of `[dev_dependencies]`".to_owned(),
        };
        let message = format!("package `{name}` is not in `[dev_dependencies]`");
        findings.push(Diagnostic::error(package.span, message).label(label).absence());
    }
}
