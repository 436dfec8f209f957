//! The licence of a project: an SPDX expression, of which only the form is checked.
//!
//! The list of identifiers grows with every SPDX release, so an unknown identifier is accepted. A text is
//! refused if no SPDX reader could parse it.

use super::invalid::Invalid;
use super::suggest;
use super::text::text_type;

text_type! {
    /// An SPDX licence expression, like `MIT` or `Apache-2.0 OR MIT`.
    License, parse
}

/// Identifiers that are often misspelt, for suggestions.
const COMMON: [&str; 12] = [
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MPL-2.0",
    "GPL-2.0-only",
    "GPL-3.0-only",
    "LGPL-3.0-only",
    "AGPL-3.0-only",
    "Unlicense",
    "CC0-1.0",
];

fn parse(text: &str) -> Result<String, Invalid> {
    let expected = "expected an SPDX expression like `Apache-2.0 OR MIT`";
    if text.trim().is_empty() {
        return Err(Invalid::new("license is empty", expected));
    }
    if is_expression(text) {
        return Ok(text.to_owned());
    }
    let meant = with_operators(text);
    let help = if is_expression(&meant) {
        Some(format!("did you mean `{meant}`?"))
    } else {
        suggest::did_you_mean(text, COMMON)
    };
    let message = format!("`{text}` is not an SPDX license expression");
    Err(Invalid::new(message, expected).maybe_help(help))
}

/// Returns a text with `/` and lower-case words replaced by the operators that they probably mean.
fn with_operators(text: &str) -> String {
    let word = |word| match word {
        "/" | "or" => "OR",
        "and" => "AND",
        "with" => "WITH",
        _ => word,
    };
    text.replace('/', " / ").split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// Returns whether a text has the form `term ((AND | OR) term)*`. A term is an identifier, perhaps with
/// `WITH` and an exception, or an expression in parentheses.
fn is_expression(text: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut depth = 0_usize;
    let mut after_term = false;
    let mut may_have_exception = false;
    for word in spaced.split_whitespace() {
        let is_operator = matches!(word, "AND" | "OR" | "WITH");
        let fits = match word {
            "(" => !after_term,
            ")" => after_term && depth > 0,
            "WITH" => may_have_exception,
            _ if is_operator => after_term,
            _ => !after_term && is_identifier(word),
        };
        if !fits {
            return false;
        }
        match word {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        may_have_exception = !is_operator && !matches!(word, "(" | ")");
        after_term = !is_operator && word != "(";
    }
    after_term && depth == 0
}

fn is_identifier(word: &str) -> bool {
    let word = word.strip_suffix('+').unwrap_or(word);
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
    !word.is_empty() && word.chars().all(valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_accepted() {
        for text in [
            "MIT",
            "Apache-2.0",
            "GPL-2.0+",
            "Apache-2.0 OR MIT",
            "(MIT AND BSD-3-Clause) OR ISC",
            "Apache-2.0 WITH LLVM-exception OR MIT",
            "LicenseRef-Proprietary",
            "DocumentRef-x:LicenseRef-y",
        ] {
            assert_eq!(text.parse().map(|l: License| l.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn other_texts_are_not() {
        let check = |text: &str, help: &[&str]| {
            assert_eq!(text.parse::<License>().unwrap_err().help, help, "{text}");
        };
        check("", &[]);
        check("Apache 2.0", &["did you mean `Apache-2.0`?"]);
        check("MIT/Apache-2.0", &["did you mean `MIT OR Apache-2.0`?"]);
        check("MIT OR", &["did you mean `MIT`?"]);
        check("OR MIT", &[]);
        check("MIT or ISC", &["did you mean `MIT OR ISC`?"]);
        check("(MIT", &["did you mean `MIT`?"]);
        check("MIT)", &["did you mean `MIT`?"]);
        check("()", &[]);
        check("(MIT) WITH x", &[]);
        check("see LICENSE.txt, please", &[]);
    }
}
