//! Makes the client of the shared cache, and finds out which digest function it speaks.
//!
//! All keys of a build are made with one digest function, so it has to be known before anything is planned. The answer
//! of a server is remembered in the project, so that a build with nothing to do does not wait for the network.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cache::DigestFunction;
use engine::Download;
use project::{ExecutionCluster, Project, SharedCache, Uploads};
use remote::{Client, Trouble};
use rules::manifest::{self, RemoteUrl};
use sandbox::Cancel;

use super::Choice;
use crate::arguments::SharedCacheFlags;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;

/// The file in the project's private folder that remembers the digest function.
const MEMORY: &str = "shared-cache";

/// The longest such file that is read, in bytes.
const LONGEST: u64 = 4096;

/// The digest function of a build, and its shared cache, if it has one.
pub(crate) struct Connected {
    /// The digest function of all keys and blobs.
    pub(crate) function: DigestFunction,
    /// The cache.
    pub(crate) cache: Option<SharedCache>,
    /// The address and the instance of the cache.
    pub(super) address: Option<(String, String)>,
    /// The cluster that executes actions, if there is one.
    pub(crate) cluster: Option<ExecutionCluster>,
    /// The part of results that is downloaded although nothing needs it here.
    pub(crate) download: Download,
}

/// Chooses and reaches the shared cache of a build. A cache that can't be reached is not used, with a warning.
///
/// # Errors
/// If the configuration is wrong, or if a cache is required and can't be reached.
pub(super) fn connect(
    config: &Config,
    flags: &SharedCacheFlags,
    project: &Project,
    cancel: &Cancel,
) -> Result<Connected, CommandError> {
    let none = Connected {
        function: config.digest_function,
        cache: None,
        address: None,
        cluster: None,
        download: Download::default(),
    };
    let Some(choice) = Choice::new(config, flags, Some(&project.manifest))? else {
        return Ok(none);
    };
    let (upload, wanted) = (choice.settings.upload, choice.settings.digest_function);
    let signer = choice.settings.signing_key.as_ref().map(|key| key.public().to_base64());
    let instance = choice.settings.instance.clone();
    let client = Client::new(choice.settings).map_err(|error| misconfigured(&error))?;
    let memory = Memory::new(project, MEMORY, (&choice.url, &instance), wanted);
    let function = match memory.or_ask(|| client.negotiate(&|| cancel.is_cancelled())) {
        Ok(function) => function,
        Err(Trouble::Cancelled) => return Err(CommandError::silent(Kind::Interrupted)),
        Err(trouble) if choice.required => return Err(required(&trouble)),
        Err(trouble) => {
            config.printer.warning(&format!("{trouble}; this build does without it"));
            return Ok(none);
        }
    };
    let Choice { is_trusted, required: is_required, url, .. } = choice;
    // A build whose purpose is to fill the cache makes sure that it is full.
    let uploads = (upload && !is_required).then(|| {
        let address = (url.as_str(), instance.as_str());
        Uploads::read(project, address, signer.as_deref(), SystemTime::now())
    });
    let cache = SharedCache { client, is_trusted, upload, uploads, is_required };
    let download = match choice.download {
        manifest::Download::All => Download::All,
        manifest::Download::Toplevel => Download::Toplevel,
        manifest::Download::Minimal => Download::Minimal,
    };
    let (cache, address) = (Some(cache), Some((url.to_string(), instance)));
    Ok(Connected { function, cache, address, cluster: None, download })
}

/// The result of trying to reach a shared cache.
pub(crate) struct Trial {
    /// The address of the cache.
    pub(crate) url: String,
    /// The digest function that it speaks, or what went wrong.
    pub(crate) answer: Result<DigestFunction, Trouble>,
}

/// Tries to reach the cache that the user has named for all projects. Returns `None` if the user has named none.
///
/// # Errors
/// If the configuration is wrong.
pub(crate) fn try_it(config: &Config) -> Result<Option<Trial>, CommandError> {
    let Some(choice) = Choice::new(config, &SharedCacheFlags::default(), None)? else {
        return Ok(None);
    };
    let client = Client::new(choice.settings).map_err(|error| misconfigured(&error))?;
    Ok(Some(Trial { url: choice.url.to_string(), answer: client.negotiate(&|| false) }))
}

fn misconfigured(error: &remote::SetupError) -> CommandError {
    CommandError::usage("the shared cache can't be used as it is configured").caused_by(error)
}

/// Returns the error of a build that needs the shared cache.
pub(crate) fn required(trouble: &Trouble) -> CommandError {
    CommandError::new(Kind::Remote, "the shared cache is required, and can't be used")
        .caused_by(trouble)
        .hint("leave out --remote-required to build without it")
}

/// Forgets which digest function the shared cache and the cluster speak, because one of them turned out to speak another
/// one now.
pub(crate) fn forget(project: &Project) {
    if project.refuse_linked_folder().is_ok() {
        // The next build reports it again if the file can't be removed.
        for memory in [MEMORY, super::cluster::MEMORY] {
            _ = std::fs::remove_file(project.private_folder().join(memory));
        }
    }
}

/// The remembered answer of a server.
pub(super) struct Memory<'a> {
    project: &'a Project,
    file: PathBuf,
    /// The question, which the file begins with.
    head: String,
}

impl<'a> Memory<'a> {
    /// Makes the memory of a server, which has an address and an instance. `wanted` is the function that the user insists on.
    pub(super) fn new(
        project: &'a Project,
        name: &str,
        (url, instance): (&RemoteUrl, &str),
        wanted: Option<DigestFunction>,
    ) -> Self {
        let wanted = wanted.map_or("", DigestFunction::name);
        let head = format!("{url}\n{instance}\n{wanted}\n");
        Self { project, file: project.private_folder().join(name), head }
    }

    /// Returns the remembered answer, or asks the server and remembers what it says.
    pub(super) fn or_ask(
        &self,
        ask: impl FnOnce() -> Result<DigestFunction, Trouble>,
    ) -> Result<DigestFunction, Trouble> {
        match self.read() {
            Some(function) => Ok(function),
            None => ask().inspect(|function| self.write(*function)),
        }
    }

    fn read(&self) -> Option<DigestFunction> {
        let text = cache::read_regular_to_string(&self.file, LONGEST).ok()?;
        text.strip_prefix(&self.head)?.trim_end().parse().ok()
    }

    /// Remembers the answer. Without this, the next build asks again.
    fn write(&self, function: DigestFunction) {
        if self.project.refuse_linked_folder().is_ok() {
            let folder = self.file.parent().unwrap_or(Path::new("."));
            let text = format!("{}{function}\n", self.head);
            _ = std::fs::create_dir_all(folder).and_then(|()| write_anew(&self.file, &text));
        }
    }
}

/// Writes a file in one step, so that another process never reads half of it, and no link in its place is followed.
fn write_anew(file: &Path, text: &str) -> std::io::Result<()> {
    let fresh = file.with_extension(std::process::id().to_string());
    std::fs::write(&fresh, text)?;
    std::fs::rename(fresh, file)
}
