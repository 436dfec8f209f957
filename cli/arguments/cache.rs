//! Flags about the cache that a team shares, and arguments of `run cache`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

/// Flags about the cache that a team shares.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Shared cache")]
pub(crate) struct SharedCacheFlags {
    /// Use the cache at URL (grpcs, grpc, https or http), or none with the word `none`.
    #[arg(long, value_name = "URL")]
    pub(crate) remote: Option<String>,
    /// Upload results that the cache lacks.
    #[arg(long)]
    pub(crate) upload: bool,
    /// Upload nothing, whatever the configuration says.
    #[arg(long, conflicts_with = "upload")]
    pub(crate) no_upload: bool,
    /// Fail with exit code 34 if the cache can't be used.
    #[arg(long)]
    pub(crate) remote_required: bool,
    /// Download so much of results that nothing needs here [default: toplevel].
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) download: Option<Download>,
}

/// The part of results that is downloaded although nothing needs it on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Download {
    /// All outputs of all results.
    All,
    /// The components.
    Toplevel,
    /// Nothing. Components that no action needs here are not written.
    Minimal,
}

pub(super) const HELP: &str = "\
The store of this machine is a cache of blobs and results that all projects share. A cache server shares them
with other machines. See docs/team.md.

The user's configuration, $XDG_CONFIG_HOME/run/config.toml, has a section [cache] with the keys of run.toml's, and
with client_certificate, client_key, signing_key (files), max_size, and headers that a command prints:

    [cache]
    remote = \"grpcs://cache.example.com\"
    headers = { authorization = { command = [\"cache-token\", \"--bearer\"] } }
    max_size = \"50GiB\"

Variables count more than the configuration: RUN_REMOTE_CACHE, RUN_REMOTE_INSTANCE, RUN_REMOTE_HEADERS (a line
`name: value` for each), RUN_REMOTE_UPLOAD, RUN_REMOTE_REQUIRED, RUN_REMOTE_DOWNLOAD, RUN_CACHE_SIGNING_KEY,
RUN_CACHE_TRUSTED_KEYS and RUN_CACHE_REQUIRE_SIGNED.";

/// The commands about caches.
#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// Serve a cache to other machines and to Bazel: HTTP and the Remote Execution API on one port.
    #[command(after_help = SERVE_HELP)]
    Serve(Box<CacheServe>),
    /// Show what the store holds, and how often it was of use.
    Stats,
    /// Read everything in the store, and set aside what is damaged.
    Verify,
    /// Remove what was not used for the longest time.
    #[command(after_help = GC_HELP)]
    Gc(CacheGc),
    /// Remove everything: blobs, results, trees and memos.
    Clear,
    /// Make a pair of keys that results are signed with.
    #[command(after_help = KEYGEN_HELP)]
    Keygen(CacheKeygen),
}

const SERVE_HELP: &str = "\
The first line on standard output is the address. Tokens and keys are read from files or from the variables
RUN_CACHE_READ_TOKEN and RUN_CACHE_WRITE_TOKEN. Without a write token, everybody who can connect may write.

Examples:
    run cache serve                                            for this machine alone
    run cache serve --listen 0.0.0.0:8980 --store /srv/cache --max-size 200GiB \\
        --write-token-file /etc/run/write --tls-certificate cert.pem --tls-key key.pem
    bazel build --remote_cache=grpc://HOST:8980 //...          Bazel can use it, too";

const GC_HELP: &str = "\
Builds may run meanwhile: what they have used since they began stays.

Examples:
    run cache gc                       to the limit of the configuration
    run cache gc --max-size 10GiB
    run cache gc --max-age 30d";

const KEYGEN_HELP: &str = "\
Writes the private key to FILE, which only you may read, and the public key to FILE.pub, and prints the public
key as `trusted_keys` takes it. CI signs with the private key: `signing_key` in the user's configuration, or
the variable RUN_CACHE_SIGNING_KEY, which is a path or the key itself.

Example:
    run cache keygen --output cache.key";

/// Arguments of `run cache serve`.
#[derive(Debug, Args)]
pub(crate) struct CacheServe {
    /// The address to listen on. Port 0 picks a free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8980")]
    pub(crate) listen: SocketAddr,
    /// The folder of the cache [default: the store of this machine].
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) store: Option<PathBuf>,
    /// Refuse all other names of instances.
    #[arg(long, value_name = "NAME")]
    pub(crate) instance: Option<String>,
    /// The size above which what was not used for the longest time is removed, such as 200GiB.
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<String>,
    /// The largest blob that is taken.
    #[arg(long, value_name = "SIZE", default_value = "4GiB")]
    pub(crate) max_blob: String,
    /// Take no uploads.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Only who sends the token in FILE may read.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) read_token_file: Option<PathBuf>,
    /// Only who sends the token in FILE may write.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) write_token_file: Option<PathBuf>,
    /// The server's certificate with its chain (PEM). With it, the server speaks TLS only.
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The private key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_certificate", value_hint = ValueHint::FilePath)]
    pub(crate) tls_key: Option<PathBuf>,
    /// Only clients with a certificate by one of these authorities (PEM) may connect.
    #[arg(long, value_name = "FILE", requires = "tls_certificate", value_hint = ValueHint::FilePath)]
    pub(crate) tls_client_roots: Option<PathBuf>,
    /// Print a line for each request on standard error.
    #[arg(long)]
    pub(crate) access_log: bool,
}

/// Arguments of `run cache gc`.
#[derive(Debug, Args)]
pub(crate) struct CacheGc {
    /// Remove until the store has at most this size, such as 10GiB.
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<String>,
    /// Remove what was not used for this time, such as 30d or 12h.
    #[arg(long, value_name = "TIME")]
    pub(crate) max_age: Option<String>,
}

/// Arguments of `run cache keygen`.
#[derive(Debug, Args)]
pub(crate) struct CacheKeygen {
    /// The file of the private key. It must not exist.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
}
