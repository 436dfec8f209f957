//! The action key: the digest of the `Action` message of the Remote Execution API.
//!
//! | input | in the key? | why |
//! |---|---|---|
//! | command line | yes | decides what is done |
//! | environment as declared | yes, sorted by name | the command can read it |
//! | input trees, toolchain trees | yes, by digest | the command can read them, and nothing else |
//! | where an input stands | yes | paths end up in outputs |
//! | working directory | yes | paths end up in outputs |
//! | operating system and processor | yes, for processes | native tools give other bytes elsewhere |
//! | sandbox mode | yes, for processes | a weaker sandbox may let other things in |
//! | output paths, the one of them that standard output becomes | yes, sorted and unique | what is not declared is not collected |
//! | determinism layer, its epoch and seed | yes, for processes that have it | decide what the command sees |
//! | timeout and limits | yes | a result may depend on what was allowed |
//! | writable places | yes | what can be written can be read back |
//! | builtin name, version, arguments | yes | decide what is done |
//! | [`RULES`] | yes, as the salt | the engine itself stages and collects |
//! | time, user, host, checkout path | no | the same sources give the same bytes everywhere |
//! | number of jobs, order of the schedule | no | same |
//! | mtime, owner and mode bits of inputs | no | the sandbox shows fixed ones; only "executable" counts |
//! | label, pin | no | names and expectations; equal work shares one result |
//!
//! [`visit`] is the only function that knows what feeds a key. `Encoder` turns what it is told
//! into messages; anything else that wants to know why a key is what it is visits the same way.
//!
//! The input root in the key is the root of the sandbox with one difference: a tree whose entries
//! stand at the root is keyed as a whole, as `.image/0`, `.image/1`, …, and not by its entries. So a
//! key can be computed while the store knows nothing of a pinned toolchain image but its digest.
//! The command's working directory is the root, as output paths are relative to it; the directory
//! that the command itself starts in is the property `cwd`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cache::{Digest, DigestFunction, Entry, Tree, TreeError, reapi};
use prost::Message as _;
use sandbox::{Determinism, Limits};

use crate::{Access, Action, Artifact, Process, Work};

/// The version of everything in this crate that decides about an action's result: how inputs are
/// staged, outputs collected and keys made. Raised when any of that changes.
pub const RULES: u32 = 1;

/// The folder of the keyed input root that holds the trees whose entries stand at the root.
pub(crate) const IMAGES: &str = ".image";

/// Asks a worker for the digest of an output folder's root besides its `Tree` message.
const TREE_AND_DIRECTORY: i32 = 2;

/// The digest of an `Action` message: names the result of an action before it has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionKey(pub Digest);

/// Is told everything that feeds a key, in a fixed order: each group sorted as the messages are.
pub trait KeyVisitor {
    /// The engine's own version, [`RULES`].
    fn rules(&mut self, version: u32);
    /// The next word of the command line.
    fn argument(&mut self, argument: &str);
    /// A variable of the environment.
    fn variable(&mut self, name: &str, value: &str);
    /// A property of the platform.
    fn property(&mut self, name: &str, value: &str);
    /// A declared output, relative to the root.
    fn output(&mut self, path: &str);
    /// An input and where it stands in the keyed input root.
    fn input(&mut self, path: &str, content: Artifact);
    /// How long the command may take.
    fn timeout(&mut self, timeout: Duration);
}

/// Tells `visitor` everything that feeds the key of `action`, whose inputs are `inputs` (one for
/// each of [`Action::inputs`], in that order).
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

/// The limits as properties; the timeout has a field of its own in the message.
fn limit_properties(limits: &Limits) -> BTreeMap<&'static str, String> {
    // Every field by name: a new limit has to be thought of here.
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

/// The writable inputs, one a line.
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

/// A key with the messages it names.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// The digest of the `Action` message.
    pub key: ActionKey,
    /// The encoded `Action`, `Command` and the `Directory` messages of the input root that no
    /// input brings along, each with its digest.
    pub messages: Vec<(Digest, Vec<u8>)>,
}

/// Computes the key of `action`, whose inputs are `inputs`.
///
/// # Errors
/// If two inputs claim the same place, or a digest was made by another function.
pub fn key(
    function: DigestFunction,
    action: &Action,
    inputs: &[Artifact],
) -> Result<Keyed, TreeError> {
    let mut encoder = Encoder::default();
    visit(action, inputs, &mut encoder);
    encoder.finish(function)
}

/// Builds the messages of the Remote Execution API.
#[derive(Default)]
struct Encoder {
    command: reapi::Command,
    platform: reapi::Platform,
    root: Tree,
    salt: Vec<u8>,
    timeout: Option<reapi::Duration>,
    error: Option<TreeError>,
}

impl KeyVisitor for Encoder {
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
        let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
        let nanos = i32::try_from(timeout.subsec_nanos()).expect("below a thousand million");
        self.timeout = Some(reapi::Duration { seconds, nanos });
    }
}

impl Encoder {
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
            platform: Some(self.platform.clone()),
            output_directory_format: TREE_AND_DIRECTORY,
            ..self.command
        };
        command.normalise();
        let command = add(command.encode_to_vec());
        let mut platform = self.platform;
        platform.normalise();
        let action = reapi::Action {
            command_digest: Some(command.to_reapi()),
            input_root_digest: Some(root.to_reapi()),
            timeout: self.timeout,
            do_not_cache: false,
            salt: self.salt,
            platform: Some(platform),
        };
        let key = ActionKey(add(action.encode_to_vec()));
        Ok(Keyed { key, messages })
    }
}

#[cfg(test)]
mod tests;
