//! Checks what must hold between the components of one project: names are distinct, and dependencies exist
//! and form no circle.
//!
//! Each check takes time in proportion to the file, because a file may list thousands of components.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::component::Component;
use super::diagnostic::Diagnostic;
use super::name::{self, ComponentName};
use super::span::{Span, Spanned};
use super::suggest;
use super::table::Findings;

/// Refuses a name that two components have, even if they are disabled or otherwise invalid.
///
/// Names that differ only in case or punctuation count as the same, because their outputs would be one file
/// on some machines.
pub(super) fn check_names(written: &[Spanned<String>], findings: &mut Findings) {
    let mut seen: HashMap<Cow<'_, str>, &Spanned<String>> = HashMap::new();
    let mut refused: BTreeMap<Span, usize> = BTreeMap::new();
    for (place, finding) in findings.iter().enumerate() {
        finding.span.into_iter().for_each(|span| _ = refused.entry(span).or_insert(place));
    }
    for name in written {
        let kebab = name::to_kebab(name).unwrap_or(Cow::Borrowed(&name.value));
        let Some(first) = seen.get(&kebab) else {
            seen.insert(kebab, name);
            continue;
        };
        match refused.get(&name.span) {
            // The name is refused already; do not suggest a name that is taken.
            Some(place) => {
                let invalid = &mut findings[*place];
                invalid.help = vec![format!("`{kebab}` is the name of another component")];
                invalid.related.push((first.span, "this one".to_owned()));
            }
            None => findings.push(
                Diagnostic::error(name.span, format!("two components are named `{}`", name.value))
                    .label("expected another name")
                    .related(first.span, "first used here"),
            ),
        }
    }
}

/// Refuses dependencies on components that do not exist or are not built, and circles of dependencies.
///
/// `written` lists the names of all components of the file, even of those that could not be read.
pub(super) fn check_dependencies(
    components: &[Component],
    written: &[Spanned<String>],
    findings: &mut Findings,
) {
    if components.iter().all(|component| component.dependencies.is_empty()) {
        return;
    }
    let by_name: BTreeMap<&str, &Component> =
        components.iter().map(|component| (component.name.as_str(), component)).collect();
    let names: BTreeSet<&str> = written.iter().map(|name| name.value.as_str()).collect();
    let mut suggestions = suggest::Budget::default();
    for component in components {
        for dependency in &component.dependencies {
            let target = by_name.get(dependency.as_str());
            findings.extend(match target {
                // The component exists, but was reported as invalid.
                None if names.contains(dependency.as_str()) => None,
                None => Some(unknown(component, dependency, written, &mut suggestions)),
                Some(target) => disabled(component, dependency, target),
            });
        }
    }
    findings.extend(circles(&by_name, components));
}

fn unknown(
    component: &Component,
    dependency: &Spanned<ComponentName>,
    written: &[Spanned<String>],
    suggestions: &mut suggest::Budget,
) -> Diagnostic {
    let name = dependency.as_str();
    let others = written.iter().map(|name| name.value.as_str());
    let others = others.filter(|other| *other != component.name.as_str());
    let label = suggestions
        .nearest(name, others)
        .map(|nearest| format!("did you mean `{nearest}`?"))
        .unwrap_or_else(|| "expected the name of another component".to_owned());
    let message = format!("there is no component `{name}`");
    Diagnostic::error(dependency.span, message).label(label).absence()
}

fn disabled(
    component: &Component,
    dependency: &Spanned<ComponentName>,
    target: &Component,
) -> Option<Diagnostic> {
    let span = target.enabled.span.filter(|_| component.enabled.value && !target.enabled.value)?;
    let message = format!("component `{}` is disabled", dependency.value);
    let label = format!("`{}` needs it", component.name.value);
    Some(Diagnostic::error(dependency.span, message).label(label).related(span, "disabled here"))
}

/// A component on the path of the search, and the number of its dependencies that were followed.
struct Step<'a> {
    component: &'a Component,
    followed: usize,
}

impl<'a> Step<'a> {
    /// Returns the dependency that is being followed.
    fn dependency(&self) -> &'a Spanned<ComponentName> {
        &self.component.dependencies[self.followed - 1]
    }
}

/// Searches depth first and enters every component once. Each circle that this finds is one finding.
fn circles(by_name: &BTreeMap<&str, &Component>, components: &[Component]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    // The position of each entered component on the current path, or `None` if it has been left.
    let mut entered: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    for start in components {
        let mut way = Vec::new();
        if !entered.contains_key(start.name.as_str()) {
            entered.insert(start.name.as_str(), Some(0));
            way.push(Step { component: start, followed: 0 });
        }
        while let Some(step) = way.last_mut() {
            let Some(dependency) = step.component.dependencies.get(step.followed) else {
                entered.insert(step.component.name.as_str(), None);
                way.pop();
                continue;
            };
            step.followed += 1;
            let Some(target) = by_name.get(dependency.as_str()) else { continue };
            match entered.get(target.name.as_str()).copied() {
                None => {
                    entered.insert(target.name.as_str(), Some(way.len()));
                    way.push(Step { component: target, followed: 0 });
                }
                Some(Some(at)) => found.push(circle(&way[at..])),
                Some(None) => {}
            }
        }
    }
    found
}

/// The maximum number of components of a circle that are named. A file can hold thousands of circles that
/// share a long path, and nobody reads one of them to its end.
const LONGEST_CIRCLE: usize = 12;

/// Returns a finding about components of which each depends on the next, and the last on the first.
fn circle(way: &[Step<'_>]) -> Diagnostic {
    let (closing, before) = way.split_last().expect("a circle has at least one component");
    let first = &way[0].component.name.value;
    let at = closing.dependency().span;
    if before.is_empty() {
        return Diagnostic::error(at, format!("component `{first}` depends on itself"))
            .label("expected another component");
    }
    let name = |step: &Step<'_>| step.component.name.as_str().to_owned();
    let mut names: Vec<String> = way.iter().take(LONGEST_CIRCLE).map(name).collect();
    if let Some(more @ 1..) = way.len().checked_sub(LONGEST_CIRCLE) {
        names.push(format!("... {more} more ..."));
    }
    let message = format!("components depend on each other: {} -> {first}", names.join(" -> "));
    let finding = Diagnostic::error(at, message).label("this closes the circle");
    before.iter().take(LONGEST_CIRCLE).fold(finding, |finding, step| {
        let dependency = step.dependency();
        let label = format!("`{}` needs `{}`", step.component.name.value, dependency.value);
        finding.related(dependency.span, label)
    })
}
