//! The host's data for one instance of a component.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::clock::VirtualClock;
use crate::grants::{Access, Grants, HostRule, Preopen, Random};
use crate::limits::Meter;
use crate::log::{Denial, Stream};
use crate::outgoing::Outgoing;
use crate::output::Output;
use crate::policy::Policy;
use crate::random::Seeded;
use crate::voice::Voice;

/// The seed of the random numbers of a component that may have none.
const NO_SEED: u64 = 0;

/// The data in the wasmtime store of an instance.
pub(crate) struct InstanceState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    table: ResourceTable,
    pub(crate) virtual_clock: Option<VirtualClock>,
    pub(crate) meter: Meter,
    pub(crate) voice: Arc<Voice>,
    /// The configuration values that the instance may read.
    pub(crate) policy: Arc<Policy>,
}

/// The error that a folder of the host can't be given to a component.
#[derive(Debug, thiserror::Error)]
#[error("cannot open `{}` for the component", folder.display())]
pub struct PreopenError {
    /// The folder.
    pub folder: PathBuf,
    /// The reason.
    pub source: io::Error,
}

impl InstanceState {
    /// Makes the data of an instance. `wasi` has the arguments and the standard input; everything else follows from the
    /// policy.
    pub(crate) fn new(
        wasi: &mut WasiCtxBuilder,
        policy: &Arc<Policy>,
    ) -> Result<Self, PreopenError> {
        let Policy { grants, limits, log, .. } = &**policy;
        let voice = Arc::new(Voice::new(Arc::clone(log), grants.stdio, grants.logging));
        let output = |stream| Output { stream, voice: Arc::clone(&voice) };
        wasi.stdout(output(Stream::Stdout)).stderr(output(Stream::Stderr));
        wasi.envs(&grants.env);
        let virtual_clock = VirtualClock::set_up(grants.clock, wasi);
        set_up_random(grants.random, wasi);
        set_up_sockets(&grants.sockets, wasi, &voice);
        open_folders(&grants.filesystem, wasi)?;
        Ok(Self {
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outgoing: Outgoing { policy: Arc::clone(policy), voice: Arc::clone(&voice) },
            table: ResourceTable::new(),
            virtual_clock,
            meter: Meter::new(limits),
            voice,
            policy: Arc::clone(policy),
        })
    }

    /// Returns what the instance may do.
    pub(crate) fn grants(&self) -> &Grants {
        &self.policy.grants
    }
}

fn set_up_random(random: Option<Random>, wasi: &mut WasiCtxBuilder) {
    let seed = match random {
        Some(Random::Host) => return,
        Some(Random::Seeded(seed)) => seed,
        None => NO_SEED,
    };
    wasi.secure_random(Seeded(seed))
        .insecure_random(Seeded(!seed))
        .insecure_random_seed(u128::from(seed));
}

fn open_folders(folders: &[Preopen], wasi: &mut WasiCtxBuilder) -> Result<(), PreopenError> {
    for Preopen { host, guest, writable } in folders {
        let permissions = if *writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        wasi.preopened_dir(host, guest, permissions).map_err(|error| PreopenError {
            folder: host.clone(),
            source: error.downcast().unwrap_or_else(|error| io::Error::other(format!("{error:#}"))),
        })?;
    }
    Ok(())
}

fn set_up_sockets(access: &Access<HostRule>, wasi: &mut WasiCtxBuilder, voice: &Arc<Voice>) {
    // The check of the addresses decides, and says what it denies.
    wasi.allow_tcp(true).allow_udp(true).allow_ip_name_lookup(*access != Access::Nothing);
    let (access, voice) = (access.clone(), Arc::clone(voice));
    wasi.socket_addr_check(move |address, what| {
        let (access, voice) = (access.clone(), Arc::clone(&voice));
        Box::pin(async move {
            let is_allowed = allows(&access, address, what).await;
            if !is_allowed {
                voice.deny(denial(address, what));
            }
            is_allowed
        })
    });
}

/// Tells if a socket may do something with an address. A rule names a host, so its addresses are looked up.
async fn allows(access: &Access<HostRule>, address: SocketAddr, what: SocketAddrUse) -> bool {
    let rules = match access {
        Access::Nothing => return false,
        Access::Everything => return true,
        Access::Only(rules) => rules,
    };
    // A client binds its socket to any free port before it sends.
    if matches!(what, SocketAddrUse::TcpBind | SocketAddrUse::UdpBind) {
        return address.ip().is_unspecified() && address.port() == 0;
    }
    for rule in rules.iter().filter(|rule| rule.port.is_none_or(|port| port == address.port())) {
        let host = rule.host.trim_start_matches('[').trim_end_matches(']');
        let Ok(mut found) = tokio::net::lookup_host((host, address.port())).await else { continue };
        if !rule.subdomains && found.any(|found| found.ip() == address.ip()) {
            return true;
        }
    }
    false
}

fn denial(address: SocketAddr, what: SocketAddrUse) -> Denial {
    let (import, verb) = match what {
        SocketAddrUse::TcpBind | SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => {
            ("wasi:sockets/tcp", "listen on")
        }
        SocketAddrUse::TcpConnect => ("wasi:sockets/tcp", "connect to"),
        SocketAddrUse::UdpBind | SocketAddrUse::UdpReceive => ("wasi:sockets/udp", "listen on"),
        SocketAddrUse::UdpSend => ("wasi:sockets/udp", "send to"),
    };
    let capability = match what {
        SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend => format!("sockets:{address}"),
        _ => "sockets".to_owned(),
    };
    Denial { import, attempt: format!("{verb} {address}"), capability }
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for InstanceState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}
