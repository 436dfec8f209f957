//! Picks tests by name.

use rules::manifest::Test;

/// Returns the tests that any of these words means, in their order; all tests if there is no word.
///
/// A word means the test of this name, or else all tests of the component of this name, or else the tests whose name it
/// is a part of. A word with `*` means the tests whose whole name, or whose component and name (`calc: adds`), fit it.
#[must_use]
pub fn select(tests: &[Test], words: &[String]) -> Vec<Test> {
    if words.is_empty() {
        return tests.to_vec();
    }
    let meant: Vec<Vec<bool>> = words.iter().map(|word| meant(tests, word)).collect();
    let is_meant = |at: usize| meant.iter().any(|meant| meant[at]);
    tests.iter().enumerate().filter(|(at, _)| is_meant(*at)).map(|(_, test)| test.clone()).collect()
}

fn meant(tests: &[Test], word: &str) -> Vec<bool> {
    let by = |fits: &dyn Fn(&Test) -> bool| tests.iter().map(fits).collect::<Vec<bool>>();
    if word.contains('*') {
        return by(&|test| {
            let whole = format!("{}: {}", test.component.value, test.name.value);
            fits(word, test.name.as_str()) || fits(word, &whole)
        });
    }
    let named = by(&|test| test.name.as_str() == word);
    if named.contains(&true) {
        return named;
    }
    let of_component = by(&|test| test.component.as_str() == word);
    if of_component.contains(&true) {
        return of_component;
    }
    by(&|test| test.name.as_str().contains(word))
}

/// Tells if a text fits a pattern in which `*` stands for any characters.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rules::manifest::Manifest;

    use super::*;

    #[test]
    fn a_word_means_a_test_a_component_or_a_part() {
        let text = "[project]\nname = \"p\"\nversion = \"1.0.0\"\n\
            [[component]]\nname = \"calc\"\npath = \"a.wasm\"\n\
            [[component]]\nname = \"checks\"\npath = \"a.wasm\"\ntest = true\n\
            [[test]]\nname = \"adds\"\ncomponent = \"calc\"\nfunction = \"f\"\n\
            [[test]]\nname = \"adds more\"\ncomponent = \"calc\"\nfunction = \"f\"\n";
        let tests = Manifest::parse(text, Path::new("/p")).0.unwrap().all_tests();
        let check = |words: &[&str], expect: &[&str]| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            let names: Vec<String> =
                select(&tests, &words).iter().map(|test| test.name.to_string()).collect();
            assert_eq!(names, expect, "{words:?}");
        };
        check(&[], &["adds", "adds more", "checks"]);
        check(&["adds"], &["adds"]);
        check(&["more"], &["adds more"]);
        check(&["calc"], &["adds", "adds more"]);
        check(&["checks", "adds"], &["adds", "checks"]);
        check(&["*"], &["adds", "adds more", "checks"]);
        check(&["a*s"], &["adds"]);
        check(&["calc: *more"], &["adds more"]);
        check(&["sub"], &[]);
    }

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, text) in
            [("*", ""), ("a*", "a"), ("*a*b*", "xaxbx"), ("a**b", "ab"), ("a*a", "aba")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a*a", "a"), ("a*", "ba"), ("*a", "ab"), ("a*b*c", "acb")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
