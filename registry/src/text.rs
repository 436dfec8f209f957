//! Texts of somebody else, as they are shown.

/// Returns a text of somebody else as one line without control characters, and not longer than `most`.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let mut shown: String =
        text.chars().take(most).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}
