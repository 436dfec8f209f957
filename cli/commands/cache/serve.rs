//! `run cache serve`: serves a store to other machines.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use cache::{DigestFunction, DiskStore, StoreLimits};
use server::{Access, Collected, Server, Settings, Tls, Token};

use super::size;
use crate::arguments::CacheServe;
use crate::command_error::{CommandError, Kind};
use crate::commands::start;
use crate::config::Config;
use crate::signals;
use crate::ui::{self, Printer};

/// The time that requests have to end when the server is stopped.
const GRACE: Duration = Duration::from_millis(700);

/// The largest file with a token, certificates or keys that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Runs `run cache serve`.
pub(super) fn run(arguments: &CacheServe, config: &Config) -> Result<ExitCode, CommandError> {
    let cancel = signals::cancel_on_signal()?;
    let settings = settings(arguments, config)?;
    let server = Server::bind(settings).map_err(|error| {
        CommandError::from_error(Kind::Environment, &error)
            .hint("choose another address: `--listen 127.0.0.1:0` picks a free port")
    })?;
    let scheme = if arguments.tls_certificate.is_some() { "s" } else { "" };
    let address = server.address();
    config.printer.result(&format!("http{scheme}://{address}\n"));
    config.printer.status(
        "Serving",
        &format!("grpc{scheme}://{address} and http{scheme}://{address}; Ctrl-C stops it"),
    );
    if !arguments.read_only
        && write_token(arguments, config)?.is_none()
        && !address.ip().is_loopback()
    {
        config.printer.warning(
            "everybody who can connect may write: give a token with --write-token-file, or --read-only",
        );
    }
    let handle = server.handle();
    signals::on_cancel(&cancel, move || handle.stop())?;
    let served = server.run(std::future::pending(), GRACE);
    let served = served.map_err(|error| CommandError::from_error(Kind::Environment, &error))?;
    config.printer.status("Stopped", &format!("after {} requests", served.totals.requests));
    Ok(ExitCode::SUCCESS)
}

fn settings(arguments: &CacheServe, config: &Config) -> Result<Settings, CommandError> {
    let store = match &arguments.store {
        Some(folder) => {
            cache::start_threads().map_err(|source| CommandError::threads(&source))?;
            let folder = config.directory.join(folder);
            DiskStore::open(&folder, DigestFunction::default())
                .map_err(|error| CommandError::from_error(Kind::Environment, &error))?
        }
        None => start::store(config)?,
    };
    let max_size =
        arguments.max_size.as_deref().map(|text| size("--max-size", text)).transpose()?;
    let collect = max_size.map(|max_size| collector(&store, max_size));
    Ok(Settings {
        listen: arguments.listen,
        store,
        instance: arguments.instance.clone(),
        read_token: token(arguments.read_token_file.as_deref(), "RUN_CACHE_READ_TOKEN", config)?,
        write_token: write_token(arguments, config)?,
        tls: tls(arguments)?,
        max_blob: size("--max-blob", &arguments.max_blob)?,
        max_size,
        read_only: arguments.read_only,
        access_log: arguments.access_log.then(|| {
            let printer = config.printer;
            Box::new(move |access: &Access| log(printer, access)) as server::AccessLog
        }),
        collect,
    })
}

/// Returns what keeps the store to its limit. A look at all its files may take long, so that is done for at most a
/// twentieth of the time.
fn collector(store: &DiskStore, max_size: u64) -> server::Collect {
    const SHARE: u32 = 20;
    let (store, last) = (store.clone(), Mutex::new(None));
    Arc::new(move || {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((ended, took, kept_bytes)) = *last
            && Instant::elapsed(&ended) < SHARE * took
        {
            return Ok(Collected { removed_bytes: 0, kept_bytes });
        }
        let begin = Instant::now();
        let collected = collect(&store, max_size)?;
        *last = Some((Instant::now(), begin.elapsed(), collected.kept_bytes));
        Ok(collected)
    })
}

fn collect(store: &DiskStore, max_size: u64) -> Result<Collected, String> {
    let limits = StoreLimits { max_size: Some(max_size), max_age: None };
    let collected = store.collect(&limits, SystemTime::now()).map_err(|error| error.to_string())?;
    Ok(Collected { removed_bytes: collected.removed.bytes, kept_bytes: collected.kept.bytes })
}

fn write_token(arguments: &CacheServe, config: &Config) -> Result<Option<Token>, CommandError> {
    token(arguments.write_token_file.as_deref(), "RUN_CACHE_WRITE_TOKEN", config)
}

/// Reads a token from a file or, if there is none, from a variable of the environment.
fn token(
    file: Option<&Path>,
    variable: &str,
    config: &Config,
) -> Result<Option<Token>, CommandError> {
    let text = match file {
        Some(path) => {
            let text = read("the token", path)?;
            Some(String::from_utf8_lossy(&text).trim().to_owned())
        }
        None => config.variable(variable),
    };
    let Some(text) = text else { return Ok(None) };
    ui::mask::learn_secret(&text);
    let invalid = |error| CommandError::usage("a token can't be used").caused_by(&error);
    Token::new(&text).map(Some).map_err(invalid)
}

fn tls(arguments: &CacheServe) -> Result<Option<Tls>, CommandError> {
    let (Some(certificate), Some(key)) = (&arguments.tls_certificate, &arguments.tls_key) else {
        return Ok(None);
    };
    let roots = arguments.tls_client_roots.as_deref();
    Ok(Some(Tls {
        certificates: read("the certificate", certificate)?,
        key: read("the key", key)?,
        client_roots: roots.map(|path| read("the clients' authorities", path)).transpose()?,
    }))
}

fn read(what: &str, path: &Path) -> Result<Vec<u8>, CommandError> {
    cache::read_regular(path, LONGEST).map_err(|source| {
        CommandError::usage(format!("cannot read {what} in {}", path.display())).caused_by(&source)
    })
}

/// Prints one request: client, method, path, status, bytes in and out, time.
fn log(printer: Printer, access: &Access) {
    let hit = match access.hit {
        Some(true) => " hit",
        Some(false) => " miss",
        None => "",
    };
    let Access { address, client, method, path, status, received_bytes, sent_bytes, .. } = access;
    let error = access.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    printer.line(&format!(
        "{address} \"{client}\" {} {method} {path} {status}{hit} in={received_bytes} out={sent_bytes} {}{error}",
        access.protocol.name(),
        ui::duration(access.duration)
    ));
}
