//! Reads the top of a Go file: the packages that it imports, and the files that it embeds. What is wrong with
//! a file is left to the go command to report.

/// The head of a Go file: the package clause and the imports.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// The text from the file's beginning to the end of its imports; the whole file if that end is not found.
    pub(super) text: &'a str,
    /// The import paths, in the order of the file. Imports after a syntax error are left out.
    pub(super) imports: Vec<String>,
}

impl<'a> Head<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let mut tokens = Tokens { rest: text };
        let mut imports = Vec::new();
        // The package clause.
        if tokens.next() != Some(Token::Word("package")) || tokens.next().is_none() {
            return Self { text, imports };
        }
        loop {
            let head = &text[..text.len() - tokens.rest.len()];
            match tokens.next() {
                Some(Token::Other(';')) => {}
                Some(Token::Word("import")) => {
                    if take(&mut tokens, &mut imports).is_none() {
                        return Self { text, imports };
                    }
                }
                _ => return Self { text: head, imports },
            }
        }
    }
}

/// Reads the imports of one declaration; `None` at a syntax error.
fn take(tokens: &mut Tokens<'_>, found: &mut Vec<String>) -> Option<()> {
    let mut group = false;
    loop {
        match tokens.next()? {
            Token::Text(path) => {
                found.push(path.to_owned());
                if !group {
                    return Some(());
                }
            }
            Token::Other('(') if !group => group = true,
            Token::Other(')') if group => return Some(()),
            // A name for the package, `.` or `_`.
            Token::Word(_) | Token::Other('.' | ';') => {}
            Token::Other(_) => return None,
        }
    }
}

/// Returns the lines that say which files are embedded.
pub(super) fn embed_lines(text: &str) -> impl Iterator<Item = &str> {
    let is_directive = |rest: &str| rest.starts_with([' ', '\t']);
    text.lines().filter(move |line| line.strip_prefix(EMBED).is_some_and(is_directive))
}

/// Returns the patterns of such lines.
pub(super) fn embeds(text: &str) -> impl Iterator<Item = String> {
    embed_lines(text).flat_map(|line| patterns(&line[EMBED.len()..]))
}

const EMBED: &str = "//go:embed";

fn patterns(text: &str) -> Vec<String> {
    let mut rest = text.trim_start();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let quoted = rest.strip_prefix(['"', '`']);
        let split = match quoted {
            Some(inside) => inside.split_once(['"', '`']),
            None => Some(rest.split_once([' ', '\t']).unwrap_or((rest, ""))),
        };
        let Some((pattern, after)) = split else { break };
        found.push(pattern.to_owned());
        rest = after.trim_start();
    }
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// The text between quotes.
    Text(&'a str),
    Other(char),
}

/// An iterator over the tokens of a Go file, without comments.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        self.skip()?;
        let rest = self.rest;
        let first = rest.chars().next()?;
        if let '"' | '`' = first {
            let (text, after) = rest[1..].split_once(first)?;
            self.rest = after;
            return Some(Token::Text(text));
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let end = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(end);
        self.rest = after;
        Some(if is_word(first) { Token::Word(token) } else { Token::Other(first) })
    }

    /// Skips spaces and comments; `None` if a comment does not end.
    fn skip(&mut self) -> Option<()> {
        loop {
            self.rest =
                self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            if self.rest.starts_with("//") {
                self.rest = self.rest.split_once('\n').map_or("", |(_, after)| after);
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                self.rest = comment.split_once("*/")?.1;
            } else {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_in_every_form() {
        let check =
            |text: &str, expect: &[&str]| assert_eq!(Head::read(text).imports, expect, "{text}");
        check("package a", &[]);
        check("package a\nimport \"fmt\"\nfunc f() { _ = \"import\" }", &["fmt"]);
        check(
            "// import \"no\"\n/* package b */\npackage a // a\n\nimport (\n\t\"fmt\"\n\t. \"x.org/dot\"\n\
             \t_ \"x.org/blank\" // why\n\tname `x.org/raw`\n)\nimport \"last\"; import \"more\"\n\
             var x = 1\nimport \"late\"",
            &["fmt", "x.org/dot", "x.org/blank", "x.org/raw", "last", "more"],
        );
        check("//go:build wasip1\n\npackage a; import \"os\"", &["os"]);
        check("import \"fmt\"", &[]);
        check("package a\nimport (\"fmt\"", &["fmt"]);
        check("package a\n/* never", &[]);
    }

    #[test]
    fn a_head_ends_with_the_imports() {
        let check = |text: &str, head: &str| assert_eq!(Head::read(text).text, head, "{text}");
        check("// a\npackage a\n\nvar x = 1\n", "// a\npackage a");
        check(
            "package a\nimport \"x\"\nimport (\n\"y\"\n)\nfunc f() {}",
            "package a\nimport \"x\"\nimport (\n\"y\"\n)",
        );
        check("package a; import \"x\"; func f() {}", "package a; import \"x\";");
        // The go command is to say what is wrong.
        check("package a\nimport (\"x\" +)\nvar y", "package a\nimport (\"x\" +)\nvar y");
        check("packag a", "packag a");
        check("package a\n/* never", "package a");
    }

    #[test]
    fn embedded_files_are_found() {
        let text = "package a\n//go:embed a.txt all:b/*.html\n//go:embed \"with space.txt\" `c`\n\
                    var x embed.FS\n// //go:embed no\n//go:embedded no\n";
        let found: Vec<String> = embeds(text).collect();
        assert_eq!(found, ["a.txt", "all:b/*.html", "with space.txt", "c"]);
    }
}
