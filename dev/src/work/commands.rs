//! Runs commands, and runs them again when they change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use runtime::{CommandInput, Exit, Loaded};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::board::{Board, Role};
use crate::front::{Complaint, Front, Message};
use crate::log::ComponentLog;

/// The commands that run.
pub(crate) struct Commands {
    handle: Handle,
    front: Arc<dyn Front>,
    board: Arc<Board>,
    running: BTreeMap<String, JoinSet<()>>,
}

impl Commands {
    pub(crate) fn new(handle: Handle, front: Arc<dyn Front>, board: Arc<Board>) -> Self {
        Self { handle, front, board, running: BTreeMap::new() }
    }

    /// Runs a command. If it runs already, that one is stopped first.
    pub(crate) fn start(&mut self, name: &str, loaded: Loaded, log: Arc<ComponentLog>) {
        self.stop(name);
        let (front, board, name) =
            (Arc::clone(&self.front), Arc::clone(&self.board), name.to_owned());
        let mut task = JoinSet::new();
        let running = run(front, board, name.clone(), loaded, log);
        task.spawn_on(running, &self.handle);
        self.running.insert(name, task);
    }

    /// Stops a command, if it runs.
    pub(crate) fn stop(&mut self, name: &str) {
        if let Some(mut task) = self.running.remove(name) {
            self.handle.block_on(task.shutdown());
        }
    }

    /// Stops all commands for which `is_wanted` is false.
    pub(crate) fn keep(&mut self, is_wanted: impl Fn(&str) -> bool) {
        let names: Vec<String> =
            self.running.keys().filter(|name| !is_wanted(name)).cloned().collect();
        names.iter().for_each(|name| self.stop(name));
    }
}

async fn run(
    front: Arc<dyn Front>,
    board: Arc<Board>,
    name: String,
    loaded: Loaded,
    log: Arc<ComponentLog>,
) {
    let began = Instant::now();
    front.tell(&Message::Started { component: &name });
    set_state(&board, &name, "running");
    let input = CommandInput { args: vec![name.clone()], ..CommandInput::default() };
    let ended = loaded.run_aloud(&input).await;
    log.flush();
    let (status, trap) = match ended {
        Ok(Exit::Status(status)) => (Some(status), None),
        Ok(Exit::Failed(failure)) => (None, Some(front.mask(&failure.to_string()))),
        Err(error) => (None, Some(error.to_string())),
    };
    let state = match (&trap, status) {
        (Some(_), _) | (None, None) => "failed".to_owned(),
        (None, Some(status)) => format!("exited with status {status}"),
    };
    set_state(&board, &name, &state);
    if let Some(text) = &trap {
        let (component, title, text) = (Some(name.clone()), format!("{name} failed"), text.clone());
        board.change(|news| news.add_error(Complaint { component, title, text }));
    }
    front.tell(&Message::Ended { component: &name, status, took: began.elapsed(), trap });
}

fn set_state(board: &Board, name: &str, state: &str) {
    board.change(|news| {
        let found = news.components.iter_mut().find(|component| component.name == name);
        if let Some(component) = found {
            component.role = Role::Command { state: state.to_owned() };
        }
    });
}
