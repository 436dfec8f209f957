//! The messages of `build.bazel.remote.execution.v2` that a build needs, written by hand as Rust types.
//!
//! They are not generated from a `.proto` file, so that the crate builds without `protoc` and the
//! reader sees the whole wire format in one place. Field numbers are those of
//! `remote_execution.proto` (API 2.0 to 2.12). Deprecated fields, which this program never writes, are declared
//! where a peer may still send them. The derived encoder writes fields in tag order and drops unknown
//! fields, which is what the API calls canonical. The code that builds a message has to sort its repeated fields
//! (see [`crate::Tree`] and the `normalise` functions below).

/// Hash and size of a blob; the hash function is known from the context.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Digest {
    /// Lower-case hexadecimal hash.
    #[prost(string, tag = "1")]
    pub hash: String,
    /// Size of the blob in bytes.
    #[prost(int64, tag = "2")]
    pub size_bytes: i64,
}

/// Everything that determines the outcome of one execution; the digest of this message is the action key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Action {
    /// Digest of the [`Command`].
    #[prost(message, optional, tag = "1")]
    pub command_digest: Option<Digest>,
    /// Digest of the [`Directory`] that is the input root: the action sees no other files.
    #[prost(message, optional, tag = "2")]
    pub input_root_digest: Option<Digest>,
    /// The time limit of the command.
    #[prost(message, optional, tag = "6")]
    pub timeout: Option<Duration>,
    /// The result must not be cached.
    #[prost(bool, tag = "7")]
    pub do_not_cache: bool,
    /// Separates otherwise equal actions.
    #[prost(bytes = "vec", tag = "9")]
    pub salt: Vec<u8>,
    /// The properties that the executing machine must have.
    #[prost(message, optional, tag = "10")]
    pub platform: Option<Platform>,
}

/// A command line with its environment and the outputs to collect.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Command {
    /// The program and its arguments.
    #[prost(string, repeated, tag = "1")]
    pub arguments: Vec<String>,
    /// The environment, sorted by name.
    #[prost(message, repeated, tag = "2")]
    pub environment_variables: Vec<EnvironmentVariable>,
    /// Superseded by `output_paths` in API 2.1.
    #[prost(string, repeated, tag = "3")]
    pub output_files: Vec<String>,
    /// Superseded by `output_paths` in API 2.1.
    #[prost(string, repeated, tag = "4")]
    pub output_directories: Vec<String>,
    /// Superseded by [`Action::platform`] in API 2.2; older servers read it here.
    #[prost(message, optional, tag = "5")]
    pub platform: Option<Platform>,
    /// Working directory below the input root.
    #[prost(string, tag = "6")]
    pub working_directory: String,
    /// Files and directories to collect, relative to the working directory, sorted, unique.
    #[prost(string, repeated, tag = "7")]
    pub output_paths: Vec<String>,
    /// Node properties to collect; always empty here.
    #[prost(string, repeated, tag = "8")]
    pub output_node_properties: Vec<String>,
    /// A value of `OutputDirectoryFormat`: 0 is `TREE_ONLY`, 1 `DIRECTORY_ONLY`, 2 both.
    #[prost(int32, tag = "9")]
    pub output_directory_format: i32,
}

impl Command {
    /// Brings the repeated fields into their canonical order: the environment by name, output
    /// paths sorted and unique, the platform as [`Platform::normalise`] says. Sorting is by bytes.
    pub fn normalise(&mut self) {
        self.environment_variables.sort_by(|a, b| a.name.cmp(&b.name));
        for paths in [&mut self.output_files, &mut self.output_directories, &mut self.output_paths]
        {
            paths.sort();
            paths.dedup();
        }
        if let Some(platform) = &mut self.platform {
            platform.normalise();
        }
    }
}

/// One variable of a [`Command`]'s environment.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct EnvironmentVariable {
    /// The variable's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The variable's value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Requirements on the executing machine.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Platform {
    /// Sorted by name, then by value.
    #[prost(message, repeated, tag = "1")]
    pub properties: Vec<Property>,
}

impl Platform {
    /// Sorts the properties by name, then by value, as the canonical form asks.
    pub fn normalise(&mut self) {
        self.properties.sort_by(|a, b| (&a.name, &a.value).cmp(&(&b.name, &b.value)));
    }
}

/// One requirement of a [`Platform`].
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Property {
    /// The property's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The property's value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// One directory: its children by name, each kind sorted by the bytes of the name.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Directory {
    /// Regular files.
    #[prost(message, repeated, tag = "1")]
    pub files: Vec<FileNode>,
    /// Subdirectories, each by the digest of its own message.
    #[prost(message, repeated, tag = "2")]
    pub directories: Vec<DirectoryNode>,
    /// Symbolic links.
    #[prost(message, repeated, tag = "3")]
    pub symlinks: Vec<SymlinkNode>,
    /// Never set here.
    #[prost(message, optional, tag = "5")]
    pub node_properties: Option<NodeProperties>,
}

/// A regular file of a [`Directory`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct FileNode {
    /// One path segment.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Digest of the content.
    #[prost(message, optional, tag = "2")]
    pub digest: Option<Digest>,
    /// The file may be executed.
    #[prost(bool, tag = "4")]
    pub is_executable: bool,
    /// Never set here.
    #[prost(message, optional, tag = "6")]
    pub node_properties: Option<NodeProperties>,
}

/// A subdirectory of a [`Directory`].
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct DirectoryNode {
    /// One path segment.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Digest of the child's [`Directory`] message.
    #[prost(message, optional, tag = "2")]
    pub digest: Option<Digest>,
}

/// A symbolic link of a [`Directory`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct SymlinkNode {
    /// One path segment.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The target, as `readlink` gives it.
    #[prost(string, tag = "2")]
    pub target: String,
    /// Never set here.
    #[prost(message, optional, tag = "4")]
    pub node_properties: Option<NodeProperties>,
}

/// Further metadata of a node; read from peers, never written.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NodeProperties {
    /// Named properties, sorted by name.
    #[prost(message, repeated, tag = "1")]
    pub properties: Vec<NodeProperty>,
    /// Time of the last modification.
    #[prost(message, optional, tag = "2")]
    pub mtime: Option<Timestamp>,
    /// Permission bits, a `google.protobuf.UInt32Value` on the wire.
    #[prost(message, optional, tag = "3")]
    pub unix_mode: Option<UInt32Value>,
}

/// One named property of [`NodeProperties`].
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct NodeProperty {
    /// The property's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The property's value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// The result of an [`Action`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct ActionResult {
    /// Output files.
    #[prost(message, repeated, tag = "2")]
    pub output_files: Vec<OutputFile>,
    /// Output directories.
    #[prost(message, repeated, tag = "3")]
    pub output_directories: Vec<OutputDirectory>,
    /// Exit status of the command.
    #[prost(int32, tag = "4")]
    pub exit_code: i32,
    /// Standard output, inlined.
    #[prost(bytes = "vec", tag = "5")]
    pub stdout_raw: Vec<u8>,
    /// Standard output, by digest.
    #[prost(message, optional, tag = "6")]
    pub stdout_digest: Option<Digest>,
    /// Standard error, inlined.
    #[prost(bytes = "vec", tag = "7")]
    pub stderr_raw: Vec<u8>,
    /// Standard error, by digest.
    #[prost(message, optional, tag = "8")]
    pub stderr_digest: Option<Digest>,
    /// Metadata about the execution, which is not part of any key.
    #[prost(message, optional, tag = "9")]
    pub execution_metadata: Option<ExecutedActionMetadata>,
    /// Superseded by `output_symlinks` in API 2.1.
    #[prost(message, repeated, tag = "10")]
    pub output_file_symlinks: Vec<OutputSymlink>,
    /// Superseded by `output_symlinks` in API 2.1.
    #[prost(message, repeated, tag = "11")]
    pub output_directory_symlinks: Vec<OutputSymlink>,
    /// Outputs that are symbolic links.
    #[prost(message, repeated, tag = "12")]
    pub output_symlinks: Vec<OutputSymlink>,
}

/// An output that is a regular file.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OutputFile {
    /// Path relative to the working directory.
    #[prost(string, tag = "1")]
    pub path: String,
    /// Digest of the content.
    #[prost(message, optional, tag = "2")]
    pub digest: Option<Digest>,
    /// The file may be executed.
    #[prost(bool, tag = "4")]
    pub is_executable: bool,
    /// The content, if inlining was asked for.
    #[prost(bytes = "vec", tag = "5")]
    pub contents: Vec<u8>,
    /// Never set here.
    #[prost(message, optional, tag = "7")]
    pub node_properties: Option<NodeProperties>,
}

/// An output that is a directory.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct OutputDirectory {
    /// Path relative to the working directory.
    #[prost(string, tag = "1")]
    pub path: String,
    /// Digest of a [`Tree`] message.
    #[prost(message, optional, tag = "3")]
    pub tree_digest: Option<Digest>,
    /// The [`Tree`] is sorted with parents first, each directory once.
    #[prost(bool, tag = "4")]
    pub is_topologically_sorted: bool,
    /// Digest of the root [`Directory`] message.
    #[prost(message, optional, tag = "5")]
    pub root_directory_digest: Option<Digest>,
}

/// An output that is a symbolic link.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OutputSymlink {
    /// Path relative to the working directory.
    #[prost(string, tag = "1")]
    pub path: String,
    /// The target, as `readlink` gives it.
    #[prost(string, tag = "2")]
    pub target: String,
    /// Never set here.
    #[prost(message, optional, tag = "4")]
    pub node_properties: Option<NodeProperties>,
}

/// A whole directory tree in one message.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Tree {
    /// The root.
    #[prost(message, optional, tag = "1")]
    pub root: Option<Directory>,
    /// Every directory below the root.
    #[prost(message, repeated, tag = "2")]
    pub children: Vec<Directory>,
}

/// Metadata about the execution of an action: the machine, and the times of each step.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExecutedActionMetadata {
    /// Name of the executing worker.
    #[prost(string, tag = "1")]
    pub worker: String,
    /// The time at which the action was queued.
    #[prost(message, optional, tag = "2")]
    pub queued_timestamp: Option<Timestamp>,
    /// The time at which the worker took it.
    #[prost(message, optional, tag = "3")]
    pub worker_start_timestamp: Option<Timestamp>,
    /// The time at which the worker was done with it.
    #[prost(message, optional, tag = "4")]
    pub worker_completed_timestamp: Option<Timestamp>,
    /// The time at which staging of the inputs began.
    #[prost(message, optional, tag = "5")]
    pub input_fetch_start_timestamp: Option<Timestamp>,
    /// The time at which staging of the inputs ended.
    #[prost(message, optional, tag = "6")]
    pub input_fetch_completed_timestamp: Option<Timestamp>,
    /// The time at which the command began.
    #[prost(message, optional, tag = "7")]
    pub execution_start_timestamp: Option<Timestamp>,
    /// The time at which the command ended.
    #[prost(message, optional, tag = "8")]
    pub execution_completed_timestamp: Option<Timestamp>,
    /// The time at which collecting of the outputs began.
    #[prost(message, optional, tag = "9")]
    pub output_upload_start_timestamp: Option<Timestamp>,
    /// The time at which collecting of the outputs ended.
    #[prost(message, optional, tag = "10")]
    pub output_upload_completed_timestamp: Option<Timestamp>,
    /// Details that only the executing worker knows.
    #[prost(message, repeated, tag = "11")]
    pub auxiliary_metadata: Vec<Any>,
    /// Time the command took by the worker's own clock.
    #[prost(message, optional, tag = "12")]
    pub virtual_execution_duration: Option<Duration>,
}

/// `google.protobuf.Timestamp`: time since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Timestamp {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds, never negative.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `google.protobuf.Duration`: a span of time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Duration {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds, of the same sign as the seconds.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl From<std::time::Duration> for Duration {
    fn from(time: std::time::Duration) -> Self {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let nanos = i32::try_from(time.subsec_nanos()).expect("below a thousand million");
        Self { seconds, nanos }
    }
}

/// `google.protobuf.Any`: a message with its type.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Any {
    /// Names the type of the message.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The encoded message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `google.protobuf.UInt32Value`: a number that may be absent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct UInt32Value {
    /// The number.
    #[prost(uint32, tag = "1")]
    pub value: u32,
}
