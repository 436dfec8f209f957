//! Has a cluster execute a command, and takes its result as if the command had run here.
//!
//! The result of a cluster has only digests; its files stay where they are until something needs them. A cluster is not
//! sent an action twice: what it refuses runs on this machine, if that is allowed.

use std::collections::BTreeMap;
use std::sync::Arc;

use cache::{Digest, StoreError, reapi};
use prost::Message as _;

use super::root;
use super::stage::StageError;
use super::{ClusterPlace, Executor, Job, Unfinished, WorkOutput, failed, infrastructure};
use crate::cluster::{Cluster, Execution, ExecutionStage, Refusal};
use crate::failure::{Failure, FailureKind};
use crate::key::TREE_AND_DIRECTORY;
use crate::success::{OUT, Success};
use crate::{Artifact, Event, Messages, Process, Progress, Report, Usage, Work};

/// The exit codes from here on mean that a shell, a launcher or the worker has ended the command, and not the tool itself.
const NOT_THE_TOOLS: i32 = 126;

impl Executor {
    /// Has a cluster do the work of an action, and blocks until it has ended.
    pub(super) fn work_on(
        &self,
        place: &ClusterPlace,
        job: &Job,
    ) -> Result<WorkOutput, Unfinished> {
        let Work::Process(process) = &job.action.work else {
            panic!("BUG: {} is no command, and was sent to a cluster", job.action.label)
        };
        Visit { executor: self, cluster: &place.cluster, job, process }.run(place.anew)
    }
}

/// One action at a cluster.
struct Visit<'a> {
    executor: &'a Executor,
    cluster: &'a Arc<dyn Cluster>,
    job: &'a Job,
    process: &'a Process,
}

impl Visit<'_> {
    fn run(&self, anew: bool) -> Result<WorkOutput, Unfinished> {
        let action = self.message()?;
        let watch = |stage| self.tell(stage);
        let timeout = self.process.limits.timeout;
        let execution = Execution { action, timeout, anew, watch: &watch };
        let (store, cancel) = (&self.executor.store, &self.executor.cancel);
        let result = self.cluster.execute(&execution, store, cancel);
        let result = result.map_err(|refusal| self.refused(refusal))?;
        let messages = self.messages(&result)?;
        if result.exit_code != 0 {
            return Err(self.complaint(result.exit_code, messages));
        }
        self.output(result, messages)
    }

    /// Stores the messages of the executed action, and returns the digest of the `Action` message.
    fn message(&self) -> Result<Digest, Unfinished> {
        let Self { job, process, .. } = self;
        let orders = launcher::Orders {
            argv: &process.argv,
            env: &process.env,
            cwd: &process.cwd,
            outputs: &job.action.outputs,
        };
        let orders = orders.encode().ok_or_else(|| {
            let report = Report::text("its command or its environment has a NUL byte");
            failed(&job.action, FailureKind::NotRun(report))
        })?;
        let (store, relative) = (&self.executor.store, &self.executor.relative_trees);
        let root = root::root(store, relative, &job.action, &job.inputs, &orders)
            .map_err(|error| self.no_root(error))?;
        let put = |message: Vec<u8>| store.put(&message);
        let message = || {
            let command = put(self.command().encode_to_vec())?;
            put(self.action(&root, &command).encode_to_vec())
        };
        message().map_err(|error: StoreError| infrastructure(&job.action, &error))
    }

    fn command(&self) -> reapi::Command {
        let outputs = self.job.action.outputs.iter();
        let written = outputs.filter(|path| self.process.stdout.as_ref() != Some(*path));
        let mut command = reapi::Command {
            arguments: vec![launcher::PATH.to_owned()],
            output_paths: written.map(|path| format!("{OUT}/{path}")).collect(),
            platform: Some(platform(self.cluster.platform())),
            output_directory_format: TREE_AND_DIRECTORY,
            ..reapi::Command::default()
        };
        command.normalise();
        command
    }

    fn action(&self, root: &Digest, command: &Digest) -> reapi::Action {
        reapi::Action {
            command_digest: Some(command.to_reapi()),
            input_root_digest: Some(root.to_reapi()),
            timeout: self.process.limits.timeout.map(Into::into),
            platform: Some(platform(self.cluster.platform())),
            ..reapi::Action::default()
        }
    }

    fn no_root(&self, error: StageError) -> Unfinished {
        match error {
            StageError::Missing(digest) => self.lacks(digest),
            StageError::Store(error) => infrastructure(&self.job.action, &error),
            // The launcher may be in the way of an image, so the sandbox has the last word.
            error => self.turned_away(&Report::of(&error)),
        }
    }

    /// Handles a blob that neither side has. If this machine has all inputs, something else is wrong with the cluster.
    fn lacks(&self, digest: Digest) -> Unfinished {
        match self.executor.missing(self.job, digest) {
            Unfinished::Missing { inputs, .. } if inputs.is_empty() => {
                self.turned_away(&Report::text(format!("the cluster does not find {digest}")))
            }
            missing => missing,
        }
    }

    fn refused(&self, refusal: Refusal) -> Unfinished {
        match refusal {
            Refusal::Cancelled => Unfinished::Cancelled,
            Refusal::TimedOut => {
                let limit = self.process.limits.timeout.unwrap_or_default();
                self.failure(FailureKind::TimedOut(limit), Messages::default())
            }
            Refusal::Missing(digest) => self.lacks(digest),
            Refusal::Unavailable(report) if self.cluster.falls_back() => {
                Unfinished::TurnedAway(report)
            }
            Refusal::Unavailable(report) => failed(&self.job.action, FailureKind::Cluster(report)),
        }
    }

    /// Has the action run here, or fails, because a worker can't run it as this machine would.
    fn turned_away(&self, report: &Report) -> Unfinished {
        self.cluster.complain(&report.to_string());
        self.refused(Refusal::Unavailable(report.clone()))
    }

    /// Reports a command that failed. If the worker and not the tool is at fault, the command runs here.
    fn complaint(&self, code: i32, messages: Messages) -> Unfinished {
        if let Some(complaint) = launcher::complaint(code, &messages.stderr) {
            return self.turned_away(&Report::text(complaint));
        }
        if !(0..NOT_THE_TOOLS).contains(&code) && self.cluster.falls_back() {
            return Unfinished::TurnedAway(Report::text(format!("it ended with status {code}")));
        }
        self.failure(FailureKind::Exited(code), messages)
    }

    fn failure(&self, kind: FailureKind, messages: Messages) -> Unfinished {
        let failure = Failure::new(self.job.action.label.clone(), kind);
        let stdout = if self.process.stdout.is_some() { Vec::new() } else { messages.stdout };
        let command = Some(super::process::command(self.process));
        Unfinished::Failed(Box::new(Failure {
            command,
            stdout,
            stderr: messages.stderr,
            ..failure
        }))
    }

    /// Reads the text on standard output and standard error, which the store has.
    fn messages(&self, result: &reapi::ActionResult) -> Result<Messages, Unfinished> {
        let read = |raw: &[u8], digest: Option<&reapi::Digest>| -> Result<Vec<u8>, StoreError> {
            let function = self.executor.store.function();
            let digest = digest.and_then(|digest| Digest::from_reapi(function, digest).ok());
            match digest.filter(|digest| raw.is_empty() && digest.size() > 0) {
                None => Ok(raw.to_vec()),
                Some(digest) => {
                    self.executor.store.get(&digest)?.ok_or(StoreError::Missing(digest))
                }
            }
        };
        let both = || {
            let stdout = read(&result.stdout_raw, result.stdout_digest.as_ref())?;
            Ok(Messages {
                stdout,
                stderr: read(&result.stderr_raw, result.stderr_digest.as_ref())?,
            })
        };
        both().map_err(|error: StoreError| {
            self.turned_away(&Report::text(format!("what the command wrote is lost: {error}")))
        })
    }

    /// Finds the declared outputs in a result.
    fn output(
        &self,
        mut result: reapi::ActionResult,
        messages: Messages,
    ) -> Result<WorkOutput, Unfinished> {
        let (store, action) = (&self.executor.store, &self.job.action);
        let mut messages = messages;
        if let Some(path) = &self.process.stdout {
            let text = std::mem::take(&mut messages.stdout);
            let digest = store.put(&text).map_err(|error| infrastructure(action, &error))?;
            result.output_files.push(reapi::OutputFile {
                path: format!("{OUT}/{path}"),
                digest: Some(digest.to_reapi()),
                ..reapi::OutputFile::default()
            });
        }
        // The text is in `messages` already.
        (result.stdout_digest, result.stderr_digest) = (None, None);
        let Some(success) = Success::from_result(store.function(), action, &result) else {
            return Err(self.incomplete(&result, messages));
        };
        for (path, artifact) in &success.outputs {
            self.check(path, artifact, &messages)?;
        }
        let (usage, missing) = (Usage::default(), Vec::new());
        Ok(WorkOutput { outputs: success.outputs, messages, usage, missing, for_once: false })
    }

    /// Reports the first declared output that a result does not have.
    fn incomplete(&self, result: &reapi::ActionResult, messages: Messages) -> Unfinished {
        let files = result.output_files.iter().map(|file| file.path.as_str());
        let folders = result.output_directories.iter().map(|folder| folder.path.as_str());
        let there: Vec<&str> = files.chain(folders).collect();
        let mut declared = self.job.action.outputs.iter();
        let is_absent = |path: &&String| !there.contains(&format!("{OUT}/{path}").as_str());
        match declared.find(is_absent) {
            Some(path) if is_link(result, path) => {
                let text = format!("`{path}` is a symbolic link, which can't be an output");
                self.failure(FailureKind::BadOutput(Report::text(text)), messages)
            }
            Some(path) => self.failure(FailureKind::MissingOutput(path.clone()), messages),
            None => self.turned_away(&Report::text("a result has an output without a digest")),
        }
    }

    /// Refuses an output folder that this machine would not have taken, or that the store does not have the messages of.
    fn check(
        &self,
        path: &str,
        artifact: &Artifact,
        messages: &Messages,
    ) -> Result<(), Unfinished> {
        let Artifact::Tree(digest) = artifact else { return Ok(()) };
        let tree = self.executor.store.tree(digest).ok().flatten();
        let tree = tree.ok_or_else(|| {
            self.turned_away(&Report::text(format!("a result has no usable `{path}`")))
        })?;
        tree.check_links().map_err(|error| {
            self.failure(FailureKind::BadOutput(Report::of(&error)), messages.clone())
        })
    }

    fn tell(&self, stage: ExecutionStage) {
        let name = self.cluster.name();
        let text = match stage {
            ExecutionStage::Uploading => format!("its inputs go to {name}"),
            ExecutionStage::Queued => format!("it waits for a worker of {name}"),
            ExecutionStage::Executing => format!("it runs on {name}"),
        };
        let (label, progress) = (self.job.action.label.clone(), Progress::Text(text));
        self.executor.events.event(Event::Progress { label, progress });
    }
}

/// Tells if a result has a symbolic link in the place of a declared output. Servers of different ages list it in one of three
/// lists.
fn is_link(result: &reapi::ActionResult, path: &str) -> bool {
    let lists =
        [&result.output_symlinks, &result.output_file_symlinks, &result.output_directory_symlinks];
    lists.into_iter().flatten().any(|link| link.path == format!("{OUT}/{path}"))
}

fn platform(properties: &BTreeMap<String, String>) -> reapi::Platform {
    let property = |(name, value): (&String, &String)| reapi::Property {
        name: name.clone(),
        value: value.clone(),
    };
    reapi::Platform { properties: properties.iter().map(property).collect() }
}
