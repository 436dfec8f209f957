//! The action key: the digest of the `Action` message of the Remote Execution API.
//!
//! | input | in the key? | why |
//! |---|---|---|
//! | command line | yes | decides what is done |
//! | environment as declared | yes, sorted by name | the command can read it |
//! | input trees, toolchain trees | yes, by digest | these are all that the command can read |
//! | where an input stands | yes | paths end up in outputs |
//! | working directory | yes | paths end up in outputs |
//! | operating system and processor | yes, for processes | native tools give other bytes elsewhere |
//! | sandbox mode | yes, for processes | a weaker sandbox may let other things in |
//! | output paths, and which of them receives standard output | yes, sorted and unique | what is not declared is not collected |
//! | determinism layer, its version and all its settings | yes, for processes that have it | they decide what the command sees |
//! | timeout and limits | yes, for processes | a result may depend on what was allowed |
//! | writable places | yes, for processes | what can be written can be read back |
//! | builtin name, version, arguments | yes | decide what is done |
//! | [`RULES`] | yes, as the salt | the engine's own staging and collecting shape the result, too |
//! | time, user, host, checkout path | no | the same sources give the same bytes everywhere |
//! | number of jobs, order of the schedule | no | they do not change the result |
//! | mtime, owner and mode bits of inputs | no | the sandbox shows fixed ones; only "executable" counts |
//! | label, pin | no | they name the work, or say what is expected of it |
//!
//! [`visit`] is the only function that knows what feeds a key. `MessageEncoder` is a visitor that builds the messages. Other
//! code that wants to explain a key can use a visitor of its own.
//!
//! The input root in the key is the root of the sandbox with one difference: a tree whose entries
//! stand at the root is written as one entry (`.image/0`, `.image/1`, …) and not as the entries that it has. So a
//! key can be computed when the store does not have a pinned toolchain image and only its digest is known.
//! The working directory in the `Command` message is the root, because output paths are relative to it. The directory
//! in which the command starts is the property `cwd`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cache::{Digest, DigestFunction, Entry, Tree, TreeError, reapi};
use prost::Message as _;
use sandbox::{Determinism, Limits};

use crate::{Access, Action, Artifact, Process, Work};

/// The version of everything in this crate that an action's result depends on: staging inputs,
/// collecting outputs and computing keys. It is raised when any of that changes.
pub const RULES: u32 = 1;

/// The folder of the keyed input root that holds the trees whose entries stand at the root.
pub(crate) const IMAGES: &str = ".image";

/// Asks the executing machine for the root digest of each output folder in addition to its `Tree` message.
pub(crate) const TREE_AND_DIRECTORY: i32 = 2;

/// The digest of an `Action` message. It names the result of an action before the action has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionKey(pub Digest);

/// Visits everything that feeds a key, in a fixed order. Arguments and inputs come in the order of the
/// action; variables, properties and outputs are sorted.
pub trait KeyVisitor {
    /// Takes the engine's own version, [`RULES`].
    fn rules(&mut self, version: u32);
    /// Takes the next word of the command line.
    fn argument(&mut self, argument: &str);
    /// Takes a variable of the environment.
    fn variable(&mut self, name: &str, value: &str);
    /// Takes a property of the platform.
    fn property(&mut self, name: &str, value: &str);
    /// Takes the path of a declared output, relative to the root.
    fn output(&mut self, path: &str);
    /// Takes an input, with its path in the input root of the key.
    fn input(&mut self, path: &str, content: Artifact);
    /// Takes the time limit of the command.
    fn timeout(&mut self, timeout: Duration);
}

/// Calls `visitor` with everything that feeds the key of `action`. `inputs` has the content of each
/// of [`Action::inputs`], in that order.
pub fn visit(action: &Action, inputs: &[Artifact], visitor: &mut dyn KeyVisitor) {
    visitor.rules(RULES);
    match &action.work {
        Work::Process(process) => visit_process(action, process, visitor),
        Work::Builtin(builtin) => {
            visitor.argument(builtin.name());
            builtin.arguments().iter().for_each(|argument| visitor.argument(argument));
            visitor.property("builtin", &format!("{}@{}", builtin.name(), builtin.version()));
        }
    }
    for path in action.outputs.iter().collect::<BTreeSet<_>>() {
        visitor.output(&format!("out/{path}"));
    }
    visit_inputs(action, inputs, visitor);
}

fn visit_process(action: &Action, process: &Process, visitor: &mut dyn KeyVisitor) {
    process.argv.iter().for_each(|argument| visitor.argument(argument));
    process.env.iter().for_each(|(name, value)| visitor.variable(name, value));
    let mut properties = limit_properties(&process.limits);
    properties.insert("OSFamily", std::env::consts::OS.to_owned());
    properties.insert("ISA", std::env::consts::ARCH.to_owned());
    properties.insert("cwd", process.cwd.clone());
    properties.insert("sandbox", process.isolation.view().to_owned());
    properties.insert("scratch", scratch_paths(action));
    if let Some(output) = &process.stdout {
        properties.insert("stdout", output.clone());
    }
    if let Some(determinism) = process.determinism {
        let Determinism { epoch, seed, cpus, listing } = determinism;
        let settings = format!("epoch {epoch} seed {seed} cpus {cpus} listing {listing:?}");
        properties.insert("determinism", format!("{} {settings}", Determinism::LAYER));
    }
    properties.iter().for_each(|(name, value)| visitor.property(name, value));
    if let Some(timeout) = process.limits.timeout {
        visitor.timeout(timeout);
    }
}

/// Returns the limits as properties. The timeout is not among them, because the message has a field for it.
fn limit_properties(limits: &Limits) -> BTreeMap<&'static str, String> {
    // Every field is named here, so that a new limit can't be forgotten.
    let Limits { timeout: _, memory, processes, tmp_bytes, file_size, open_files, cpus } = limits;
    let unlimited = |limit: &Option<u64>| limit.map_or_else(String::new, |limit| limit.to_string());
    BTreeMap::from([
        ("limit-memory", unlimited(memory)),
        ("limit-processes", processes.to_string()),
        ("limit-tmp-bytes", tmp_bytes.to_string()),
        ("limit-file-size", unlimited(file_size)),
        ("limit-open-files", open_files.to_string()),
        ("limit-cpus", cpus.map_or_else(String::new, |cpus| cpus.to_string())),
    ])
}

/// Lists the paths of the writable inputs, one per line.
fn scratch_paths(action: &Action) -> String {
    let writable = action.inputs.iter().filter(|input| input.access == Access::Scratch);
    let paths: BTreeSet<&str> = writable.map(|input| input.at.as_str()).collect();
    paths.into_iter().collect::<Vec<_>>().join("\n")
}

fn visit_inputs(action: &Action, inputs: &[Artifact], visitor: &mut dyn KeyVisitor) {
    let mut images = 0;
    for (input, content) in action.inputs.iter().zip(inputs) {
        if input.at.is_empty() {
            visitor.input(&format!("{IMAGES}/{images}"), *content);
            images += 1;
        } else {
            visitor.input(&input.at, *content);
        }
    }
}

/// A key with the messages that it is the digest of.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// The digest of the `Action` message.
    pub key: ActionKey,
    /// The encoded messages, each with its digest: the `Action`, the `Command`, and the `Directory` messages of the input
    /// root that are not part of an input.
    pub messages: Vec<(Digest, Vec<u8>)>,
}

/// Computes the key of `action`, whose inputs have the content `inputs`.
///
/// # Errors
/// If two inputs have the same path, or a digest was made by another function.
pub fn key(
    function: DigestFunction,
    action: &Action,
    inputs: &[Artifact],
) -> Result<Keyed, TreeError> {
    let mut encoder = MessageEncoder::default();
    visit(action, inputs, &mut encoder);
    encoder.finish(function)
}

/// Builds the messages of the Remote Execution API.
#[derive(Default)]
struct MessageEncoder {
    command: reapi::Command,
    platform: reapi::Platform,
    root: Tree,
    salt: Vec<u8>,
    timeout: Option<reapi::Duration>,
    error: Option<TreeError>,
}

impl KeyVisitor for MessageEncoder {
    fn rules(&mut self, version: u32) {
        self.salt = format!("run engine {version}").into_bytes();
    }

    fn argument(&mut self, argument: &str) {
        self.command.arguments.push(argument.to_owned());
    }

    fn variable(&mut self, name: &str, value: &str) {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.command.environment_variables.push(reapi::EnvironmentVariable { name, value });
    }

    fn property(&mut self, name: &str, value: &str) {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.platform.properties.push(reapi::Property { name, value });
    }

    fn output(&mut self, path: &str) {
        self.command.output_paths.push(path.to_owned());
    }

    fn input(&mut self, path: &str, content: Artifact) {
        let entry = match content {
            Artifact::Tree(digest) => Entry::Subtree(digest),
            Artifact::File { digest, executable } => Entry::File { digest, executable },
        };
        if let Err(error) = self.root.insert(path, entry) {
            self.error.get_or_insert(error);
        }
    }

    fn timeout(&mut self, timeout: Duration) {
        self.timeout = Some(timeout.into());
    }
}

impl MessageEncoder {
    fn finish(self, function: DigestFunction) -> Result<Keyed, TreeError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let (root, mut messages) = self.root.digest(function)?;
        let mut add = |bytes: Vec<u8>| {
            let digest = Digest::of(function, &bytes);
            messages.push((digest, bytes));
            digest
        };
        let mut command = reapi::Command {
            platform: Some(self.platform),
            output_directory_format: TREE_AND_DIRECTORY,
            ..self.command
        };
        command.normalise();
        let command_digest = add(command.encode_to_vec());
        let action = reapi::Action {
            command_digest: Some(command_digest.to_reapi()),
            input_root_digest: Some(root.to_reapi()),
            timeout: self.timeout,
            do_not_cache: false,
            salt: self.salt,
            platform: command.platform,
        };
        let key = ActionKey(add(action.encode_to_vec()));
        Ok(Keyed { key, messages })
    }
}

#[cfg(test)]
mod tests;
