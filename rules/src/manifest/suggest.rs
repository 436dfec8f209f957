//! Finds the valid name that a wrong word probably means, for "did you mean" messages.
//!
//! It knows nothing of what the names stand for. Comparing costs time, so both the length of words and their
//! number are limited.

/// The length, in characters, of the longest word that is compared with others.
const LONGEST: usize = 128;

/// Returns the candidate that the writer most probably meant, if one is near enough.
///
/// A candidate is near if it differs only in case or in `-` and `_`, if one of the two begins with the other
/// and that has at least three letters, or if it is at most one edit in three letters away. The first of
/// equally near candidates wins.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    scored(word, candidates).min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Returns the candidates that are near enough to be suggested, the [`nearest`] first.
pub(crate) fn near<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<_> = scored(word, candidates).collect();
    scored.sort_by_key(|(distance, _)| *distance);
    scored.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Returns the candidates that are near to a word, each with its distance from it.
fn scored<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> impl Iterator<Item = (usize, &'a str)> {
    let word = plain(word);
    let length = word.chars().count();
    let most = (length / 3).max(1);
    // Nobody misspells a longer text, and comparing two texts takes time in the product of their lengths.
    let candidates = candidates.into_iter().take_while(move |_| length <= LONGEST);
    candidates.filter_map(move |candidate| {
        let plain = plain(candidate);
        let abbreviates = word.len() >= 3 && plain.starts_with(&word)
            || plain.len() >= 3 && word.starts_with(&plain);
        let difference = plain.chars().count().abs_diff(length);
        if !abbreviates && difference > most {
            return None;
        }
        let distance = match difference {
            // One of the two begins with the other, so the rest of the longer one is the distance.
            _ if abbreviates => difference,
            _ => strsim::damerau_levenshtein(&word, &plain),
        };
        let near = distance <= most && distance < plain.len();
        (near || abbreviates).then_some((distance, candidate))
    })
}

/// The number of words of one file that are still compared with all candidates.
///
/// A file may hold thousands of wrong words and as many candidates, and each comparison costs time. Nobody
/// reads more findings than this one by one anyway.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: 25 }
    }
}

impl Budget {
    /// Returns whether no more suggestions will be made.
    pub(crate) const fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Returns the [`nearest`] candidate, as long as the budget lasts.
    pub(crate) fn nearest<'a>(
        &mut self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        self.left = self.left.checked_sub(1)?;
        nearest(word, candidates)
    }
}

/// Returns a word without differences that people don't notice: in case, and between `_`, blank and `-`.
fn plain(word: &str) -> String {
    word.to_lowercase().replace(['_', ' '], "-")
}

/// Returns the text "did you mean `x`?" if there is a near candidate.
pub(super) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, candidates).map(|name| format!("did you mean `{name}`?"))
}

/// Returns the names as a choice for a message: `a`, `b` or `c`.
pub(crate) fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    listed(names, "or")
}

/// Returns the names as a list for a message: `a`, `b` and `c`.
pub(crate) fn all_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    listed(names, "and")
}

fn listed<'a>(names: impl IntoIterator<Item = &'a str>, joint: &str) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        Some(last) if !names.is_empty() => format!("{} {joint} {last}", names.join(", ")),
        Some(only) => only,
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["name", "source", "path", "language", "opt_level", "dev_dependencies"];

    #[track_caller]
    fn check(word: &str, expected: Option<&str>) {
        assert_eq!(nearest(word, KEYS), expected, "{word}");
    }

    #[test]
    fn the_nearest_name_is_suggested() {
        check("nmae", Some("name"));
        check("Name", Some("name"));
        check("soruce", Some("source"));
        check("opt-level", Some("opt_level"));
        check("optLevel", Some("opt_level"));
        check("lang", Some("language"));
        check("names", Some("name"));
        check("sourcefile", Some("source"));
        check("dev-dependencies", Some("dev_dependencies"));
    }

    #[test]
    fn far_away_names_are_not() {
        check("x", None);
        check("", None);
        check("colour", None);
        check("la", None);
    }

    #[test]
    fn lists_read_as_english() {
        assert_eq!(one_of([]), "");
        assert_eq!(one_of(["a"]), "`a`");
        assert_eq!(one_of(["a", "b"]), "`a` or `b`");
        assert_eq!(all_of(["a", "b", "c"]), "`a`, `b` and `c`");
    }

    #[test]
    fn near_names_come_in_the_order_of_their_distance() {
        let names = ["worker", "api-two", "api-one", "apl"];
        assert_eq!(near("api", names), ["apl", "api-two", "api-one"]);
        assert_eq!(near("nothing", names), [""; 0]);
    }
}
