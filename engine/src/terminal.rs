//! Removes control sequences from the messages of tools.
//!
//! Tools are always asked for colours, so that the key of an action does not depend on the user's terminal. Their
//! messages are stored as they are. Code that reads a message takes the [`plain`] text, and code that shows it on a
//! terminal takes the [`coloured`] one. A tool runs code of the checkout, and control sequences can make a terminal do
//! harmful things, so only colours pass.
//!
//! Control sequences are those of ECMA-48: `ESC [` up to a letter, and strings from `ESC ]` (or `P`, `X`, `^`, `_`) to
//! their terminator.

use std::iter::Peekable;
use std::str::Chars;

const ESCAPE: char = '\u{1b}';
/// `ESC [` in one character.
const CONTROL: char = '\u{9b}';
/// The character that ends a string on most terminals, as `ESC \` does on all.
const BELL: char = '\u{7}';
/// The sequence that resets all colours and weights.
const RESET: &str = "\u{1b}[0m";

/// Returns the text without control sequences and control characters. Line ends and tabs stay.
#[must_use]
pub fn plain(text: &str) -> String {
    kept(text, false)
}

/// Returns the text with colours and weights as the only control sequences. They are reset at the end of the text.
#[must_use]
pub fn coloured(text: &str) -> String {
    let mut shown = kept(text, true);
    if shown.rfind(ESCAPE).is_some_and(|last| !shown[last..].starts_with(RESET)) {
        shown.push_str(RESET);
    }
    shown
}

fn kept(text: &str, with_colours: bool) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\n' | '\t' => kept.push(char),
            // A carriage return overwrites the line on a terminal. A counter that a tool updates this way becomes lines.
            '\r' if chars.peek().is_some_and(|next| *next != '\n') => kept.push('\n'),
            ESCAPE => match chars.next() {
                Some('[') => sequence(&mut chars, with_colours, &mut kept),
                Some(']' | 'P' | 'X' | '^' | '_') => skip_string(&mut chars),
                Some(' '..='/') => {
                    // The sequence has intermediate characters, then a final one.
                    while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
                    chars.next_if(|c| ('0'..='~').contains(c));
                }
                _ => {}
            },
            CONTROL => sequence(&mut chars, with_colours, &mut kept),
            char if char.is_control() => {}
            char => kept.push(char),
        }
    }
    kept
}

/// Reads a control sequence from its parameters on. Keeps it if colours are wanted and the sequence selects one.
fn sequence(chars: &mut Peekable<Chars<'_>>, with_colours: bool, kept: &mut String) {
    let mut parameters = String::new();
    while let Some(char) = chars.next_if(|c| (' '..='?').contains(c)) {
        parameters.push(char);
    }
    let last = chars.next_if(|c| ('@'..='~').contains(c));
    let is_colour = last == Some('m') && parameters.chars().all(|c| c.is_ascii_digit() || c == ';');
    if is_colour && with_colours {
        kept.extend([ESCAPE, '[']);
        kept.push_str(&parameters);
        kept.push('m');
    }
}

/// Skips a string with its terminator, such as the title of a window or the address of a link.
fn skip_string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(char) = chars.next() {
        match char {
            BELL | '\u{9c}' => return,
            ESCAPE => {
                chars.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, in_plain: &str, in_colour: &str) {
        assert_eq!(
            (plain(text).as_str(), coloured(text).as_str()),
            (in_plain, in_colour),
            "{text:?}"
        );
    }

    #[test]
    fn text_stays() {
        for text in ["", "a\n\tb\n", "a[0] = b[1]m", "é ∀ 漢"] {
            check(text, text, text);
        }
    }

    #[test]
    fn colours_survive_on_a_terminal_alone() {
        let tsc = "\u{1b}[96ma.ts\u{1b}[0m:\u{1b}[93m9\u{1b}[0m - \u{1b}[1;91merror\u{1b}[0m";
        check(tsc, "a.ts:9 - error", tsc);
        check("\u{1b}[38;2;1;2;3mx\u{1b}[4:3my\u{1b}[0m", "xy", "\u{1b}[38;2;1;2;3mxy\u{1b}[0m");
        check("\u{9b}31mx", "x", "\u{1b}[31mx\u{1b}[0m");
    }

    #[test]
    fn no_colour_is_left_behind() {
        check("\u{1b}[31mred", "red", "\u{1b}[31mred\u{1b}[0m");
        check("\u{1b}[31mred\u{1b}[0m\n", "red\n", "\u{1b}[31mred\u{1b}[0m\n");
        check("\u{1b}[31mcut \u{1b}[9", "cut ", "\u{1b}[31mcut \u{1b}[0m");
    }

    #[test]
    fn nothing_else_reaches_a_terminal() {
        for (text, expect) in [
            ("a\u{1b}[2J\u{1b}[1;1Hb", "ab"),
            ("a\u{1b}[>4;2mb", "ab"),
            ("a\u{1b}]0;title\u{7}b", "ab"),
            ("\u{1b}]8;;https://h/\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("a\u{1b}Pq#0\u{1b}\\b", "ab"),
            ("a\u{1b}(0b", "ab"),
            ("a\u{1b}cb\u{8}\u{0}\u{7f}", "ab"),
            ("a\r\nb\r10%\r20%", "a\nb\n10%\n20%"),
            ("a\u{1b}", "a"),
            ("a\u{1b}]0;never ended", "a"),
        ] {
            check(text, expect, expect);
        }
    }
}
