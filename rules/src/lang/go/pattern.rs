//! Matches patterns of paths as Go does (`path.Match`): those of `//go:embed`, and lists such as GOPRIVATE.

/// Returns true if one of the patterns, separated by commas, matches the beginning of `path`
/// (`module.MatchPrefixPatterns` of golang.org/x/mod).
pub(super) fn any_fits(patterns: &str, path: &str) -> bool {
    let patterns = patterns.split(',').map(|pattern| pattern.trim_end_matches('/'));
    patterns.filter(|pattern| !pattern.is_empty()).any(|pattern| {
        let elements = pattern.split('/').count();
        let beginning: Vec<&str> = path.split('/').take(elements).collect();
        fits(pattern, &beginning.join("/"))
    })
}

/// Returns true if a pattern matches a path, element by element. A malformed pattern matches nothing.
pub(super) fn fits(pattern: &str, path: &str) -> bool {
    let (mut elements, mut names) = (pattern.split('/'), path.split('/'));
    loop {
        match (elements.next(), names.next()) {
            (Some(element), Some(name)) if fits_name(element, name) => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

fn fits_name(pattern: &str, name: &str) -> bool {
    let characters: Vec<char> = name.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    // If what follows the last star does not match, matching goes on from here, with one more character for
    // the star.
    let mut retry: Option<(usize, usize)> = None;
    let (mut at, mut read) = (0, 0);
    loop {
        let step = match pattern.get(at) {
            None if read == characters.len() => return true,
            Some('*') => {
                retry = Some((at + 1, read));
                at += 1;
                continue;
            }
            None => None,
            Some(_) => match one(&pattern[at..], characters.get(read).copied()) {
                Ok(length) => length,
                Err(Malformed) => return false,
            },
        };
        match (step, &mut retry) {
            (Some(length), _) => (at, read) = (at + length, read + 1),
            (None, Some((after, taken))) if *taken < characters.len() => {
                *taken += 1;
                (at, read) = (*after, *taken);
            }
            _ => return false,
        }
    }
}

/// The pattern is malformed.
struct Malformed;

/// Returns the length of the first part of the pattern, if that part matches `character`.
fn one(pattern: &[char], character: Option<char>) -> Result<Option<usize>, Malformed> {
    match pattern {
        ['?', ..] => Ok(character.map(|_| 1)),
        ['[', ..] => {
            let (length, fits) = class(pattern, character)?;
            Ok(fits.then_some(length))
        }
        ['\\', escaped, ..] => Ok((character == Some(*escaped)).then_some(2)),
        ['\\'] => Err(Malformed),
        [plain, ..] => Ok((character == Some(*plain)).then_some(1)),
        [] => Ok(None),
    }
}

/// Returns the length of the character class that a pattern begins with, and true if the character is in it.
fn class(pattern: &[char], character: Option<char>) -> Result<(usize, bool), Malformed> {
    let negated = pattern.get(1) == Some(&'^');
    let mut at = if negated { 2 } else { 1 };
    let first = at;
    let mut found = false;
    while at == first || pattern.get(at) != Some(&']') {
        let low = bound(pattern, &mut at)?;
        let high = match pattern.get(at) {
            Some('-') => {
                at += 1;
                bound(pattern, &mut at)?
            }
            _ => low,
        };
        found |= character.is_some_and(|c| (low..=high).contains(&c));
    }
    Ok((at + 1, character.is_some() && found != negated))
}

/// Reads one end of a range.
fn bound(pattern: &[char], at: &mut usize) -> Result<char, Malformed> {
    if matches!(pattern.get(*at), None | Some('-' | ']')) {
        return Err(Malformed);
    }
    if pattern[*at] == '\\' {
        *at += 1;
    }
    let bound = *pattern.get(*at).ok_or(Malformed)?;
    *at += 1;
    Ok(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_the_beginning_of_a_path() {
        let check = |patterns: &str, path: &str, expect: bool| {
            assert_eq!(any_fits(patterns, path), expect, "{patterns} {path}");
        };
        check("corp.org", "corp.org/team/x", true);
        check("corp.org/", "corp.org/team/x", true);
        check("corp.org", "corp.organic/x", false);
        check("*.corp.org,b.org/private", "git.corp.org/x", true);
        check("*.corp.org,b.org/private", "b.org/private/x", true);
        check("*.corp.org,b.org/private", "b.org/public/x", false);
        check("b.org/private", "b.org", false);
        check("b.org/*/x", "b.org/a/x/y", true);
        check("*", "anything.org/x", true);
        check("none", "a.org/x", false);
        check(",,", "a.org", false);
        check("", "a.org", false);
        check("[a-c]?.or[^gh],x", "b1.ork/z", true);
        check("[a-c]?.or[^gh],x", "b1.org/z", false);
        check("a\\*", "a*", true);
        check("a\\*", "ab", false);
        check("*a*b*", "xxaxxbxx", true);
        check("*a*b", "xxaxxbxx", false);
        for malformed in ["[", "[]", "[a", "[a-", "[]a]", "a\\"] {
            check(malformed, "a", false);
        }
        // The time is at most that of comparing each with each.
        check(&"*a".repeat(2000), &"a".repeat(1999), false);
    }
}
