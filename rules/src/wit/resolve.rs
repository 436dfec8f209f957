//! Parses a completed WIT folder into `wit-parser`'s model.
//!
//! The files are given as texts with their origins, so that errors name the user's file and not the one in
//! the completed folder.

use std::collections::BTreeMap;

use wit_parser::{
    PackageId, ParseError, Resolve, ResolveError, SourceMap, Span, UnresolvedPackageGroup,
};

use super::complete::{WitFile, prefix};
use super::location::Location;

/// The error for WIT that does not parse, or whose packages do not fit together.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}", prefix(at.as_ref()))]
pub struct InvalidWit {
    /// The place of the error. `None` if `wit-parser` gives no place.
    pub at: Option<Location>,
    /// The error message.
    pub message: String,
}

/// A completed WIT folder that has been parsed.
#[derive(Debug)]
pub struct ResolvedWit {
    /// The model of every package of the folder.
    pub resolve: Resolve,
    /// The id of the component's own package.
    pub package: PackageId,
}

/// Parses the files of a completed folder. Those at its root are the component's package, and each folder
/// below `deps/` is another package.
pub fn resolve(files: &[WitFile]) -> Result<ResolvedWit, InvalidWit> {
    resolve_into(Resolve::new(), files)
}

/// Parses the files of a completed folder, with everything that features gate.
pub(crate) fn resolve_all(files: &[WitFile]) -> Result<ResolvedWit, InvalidWit> {
    resolve_into(Resolve { all_features: true, ..Resolve::default() }, files)
}

fn resolve_into(mut resolve: Resolve, files: &[WitFile]) -> Result<ResolvedWit, InvalidWit> {
    let mut groups: BTreeMap<&str, SourceMap> = BTreeMap::new();
    for file in files {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        groups.entry(folder).or_default().push_str(&file.origin, &*file.text);
    }
    let main = parse(groups.remove("").unwrap_or_default())?;
    let dependencies = groups.into_values().map(parse).collect::<Result<_, _>>()?;
    match resolve.push_groups(main, dependencies) {
        Ok(package) => Ok(ResolvedWit { resolve, package }),
        Err(error) => Err(unresolvable(&resolve.source_map, &error)),
    }
}

fn parse(map: SourceMap) -> Result<UnresolvedPackageGroup, InvalidWit> {
    map.parse().map_err(|(map, error)| unparsable(&map, &error))
}

fn unparsable(map: &SourceMap, error: &ParseError) -> InvalidWit {
    invalid(map, error.kind().span(), error.to_string())
}

fn unresolvable(map: &SourceMap, error: &ResolveError) -> InvalidWit {
    invalid(map, error.kind().span(), error.to_string())
}

fn invalid(map: &SourceMap, span: Span, message: String) -> InvalidWit {
    InvalidWit { at: Location::of(map, span), message }
}
