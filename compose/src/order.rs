//! Selects the parts that the root needs, and puts them into an order in which each stands behind its dependencies.
//!
//! The order follows from the names alone, and so does the circle that is shown if there are several.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{ComposeError, Part};

/// A part whose dependencies are being visited.
struct Visit<'p> {
    part: &'p Part,
    /// The dependencies that are still to be visited, the next one last.
    rest: Vec<&'p str>,
}

/// Returns the root and everything that it needs, dependencies first.
pub(crate) fn dependencies_first<'p>(
    root: &str,
    parts: &'p [Part],
) -> Result<Vec<&'p Part>, ComposeError> {
    let by_name = by_name(parts)?;
    let find = |name: &str, dependent: Option<&Part>| {
        by_name.get(name).copied().ok_or_else(|| ComposeError::UnknownPart {
            name: name.to_owned(),
            dependent: dependent.map(|part| part.name.clone()),
        })
    };
    let mut order = Vec::new();
    let mut is_done = HashMap::new();
    let mut path = vec![visit(find(root, None)?, &mut is_done)];
    // A loop instead of recursion: a chain may be long.
    while let Some(last) = path.last_mut() {
        let Some(name) = last.rest.pop() else {
            is_done.insert(last.part.name.as_str(), true);
            order.push(last.part);
            path.pop();
            continue;
        };
        match is_done.get(name) {
            Some(true) => {}
            Some(false) => return Err(circle(&path, name)),
            None => {
                let part = find(name, Some(last.part))?;
                path.push(visit(part, &mut is_done));
            }
        }
    }
    Ok(order)
}

fn by_name(parts: &[Part]) -> Result<BTreeMap<&str, &Part>, ComposeError> {
    let mut by_name = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for part in parts {
        if by_name.insert(part.name.as_str(), part).is_some() {
            twice.insert(part.name.as_str());
        }
    }
    match twice.first() {
        Some(name) => Err(ComposeError::DuplicatePart { part: (*name).to_owned() }),
        None => Ok(by_name),
    }
}

fn visit<'p>(part: &'p Part, is_done: &mut HashMap<&'p str, bool>) -> Visit<'p> {
    is_done.insert(part.name.as_str(), false);
    let rest: BTreeSet<_> = part.dependencies.iter().map(String::as_str).collect();
    Visit { part, rest: rest.into_iter().rev().collect() }
}

fn circle(path: &[Visit<'_>], name: &str) -> ComposeError {
    let names = path.iter().map(|visit| visit.part.name.as_str());
    let circle = names.skip_while(|visited| *visited != name).chain([name]);
    ComposeError::Circle { path: circle.map(str::to_owned).collect() }
}
