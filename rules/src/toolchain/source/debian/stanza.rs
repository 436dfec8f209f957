//! Reads paragraphs of `field: value` lines, the format of most of Debian's files (deb822(5)). It gives the
//! fields no meaning.

/// A paragraph, with its fields in the order in which they are written.
pub(super) struct Stanza<'a> {
    /// The text, without the empty lines around it.
    text: &'a str,
}

impl Stanza<'_> {
    /// Returns the value of a field with its continuation lines and without comments. Upper and lower case of
    /// field names are not distinguished.
    pub(super) fn get(&self, field: &str) -> Option<String> {
        let mut lines = self.text.lines().filter(|line| !line.starts_with('#'));
        let first = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(field).then_some(value.trim())
        })?;
        let more = lines.take_while(|line| line.starts_with([' ', '\t']));
        Some(more.fold(first.to_owned(), |value, line| format!("{value}\n{}", line.trim())))
    }
}

/// Returns the paragraphs of a text.
pub(super) fn all(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    text.split("\n\n").filter(|text| !text.trim().is_empty()).map(|text| Stanza { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let text = "A: 1\nList:\n x\n# no\n y\nB: 2\n\n\nA: 3\n";
        let values = |field| all(text).map(|stanza| stanza.get(field)).collect::<Vec<_>>();
        assert_eq!(values("a"), [Some("1".into()), Some("3".into())]);
        assert_eq!(values("List"), [Some("\nx\ny".into()), None]);
        assert_eq!(values("B"), [Some("2".into()), None]);
        assert_eq!(values("x"), [None, None]);
    }
}
