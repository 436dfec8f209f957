//! Shows texts of somebody else, and checks texts that are to be shown.
//!
//! A name in a release may try to move the cursor of a terminal, or to read like another name.

/// Returns a text of somebody else as one line, and not longer than `most` characters. Characters that control a
/// terminal, or that change the direction in which a text is read, are replaced.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let mut shown: String =
        text.chars().take(most).map(|c| if is_shown(c) { c } else { '?' }).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

/// Returns true if a text is not empty and is shown as it is.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_shown)
}

/// Returns true if a character shows itself: the others are controls, and the marks of Unicode's bidirectional
/// algorithm and its invisible spaces, with which a text can be made to look like another one.
fn is_shown(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_somebody_else_is_one_line_that_reads_as_it_is() {
        assert_eq!(printable("plain text", 40), "plain text");
        assert_eq!(printable("a\x1b[31mred\nline", 40), "a?[31mred?line");
        assert_eq!(printable("api\u{202e}msaw", 40), "api?msaw");
        assert_eq!(printable("abcdef", 3), "abc…");
        assert!(is_plain("größe"));
        assert!(!is_plain("") && !is_plain("a\u{200b}b") && !is_plain("a\tb"));
    }
}
