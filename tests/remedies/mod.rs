//! Tests the advice in messages: it is followed word for word, and then the error is gone. Commands and lines
//! are taken from the message itself.
//!
//! Advice about run.toml is tested beside its reader, in `rules`, and advice about a language in the tests of
//! the language.

use std::ops::Deref;

use crate::harness::{Run, Workspace};

mod commands;
mod machine;
mod packages;
mod sources;
mod wit;

/// A project after a failed command, with the command's message.
pub(crate) struct Told<'a> {
    workspace: &'a Workspace,
    pub(crate) said: String,
}

/// Runs a line that has to fail with this exit code.
#[track_caller]
pub(crate) fn told<'a>(workspace: &'a Workspace, line: &str, code: i32) -> Told<'a> {
    let run = workspace.types(line).exits(code);
    Told { workspace, said: run.stderr }
}

impl Told<'_> {
    /// Returns the first text in back quotes or double quotes that begins with `start`.
    #[track_caller]
    pub(crate) fn text(&self, start: &str) -> String {
        let found = self.said.split('`').skip(1).step_by(2).find(|text| text.starts_with(start));
        found.unwrap_or_else(|| panic!("no `{start}…` in:\n{}", self.said)).to_owned()
    }

    /// Returns the text behind these words on their line.
    #[track_caller]
    pub(crate) fn after(&self, words: &str) -> String {
        let (_, rest) = self
            .said
            .split_once(words)
            .unwrap_or_else(|| panic!("no {words:?} in:\n{}", self.said));
        rest.lines().next().unwrap().to_owned()
    }

    /// Runs the command in back quotes that begins with `start`.
    #[track_caller]
    pub(crate) fn types(&self, start: &str) -> Run {
        self.workspace.types(&self.text(start)).ok()
    }

    /// Checks that the message contains a sentence of advice, which the test then follows.
    #[track_caller]
    pub(crate) fn advises(&self, sentence: &str) -> &Self {
        assert!(self.said.contains(sentence), "no {sentence:?} in:\n{}", self.said);
        self
    }
}

impl Deref for Told<'_> {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        self.workspace
    }
}

/// Adds lines to the first component of run.toml, which most advice about sources asks for.
pub(crate) fn add_to_component(workspace: &Workspace, line: &str) {
    workspace.replace("run.toml", "[[component]]\n", &format!("[[component]]\n{line}\n"));
}
