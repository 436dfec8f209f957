//! A TCP proxy that knows nothing of the protocols, and harms connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::certificates::Acceptors;
use crate::exchange::RUNTIME;
use crate::fault::Fault;
use crate::goaway;
use crate::tap::Tap;

/// The bytes that are read at once.
const PIECE: usize = 8 << 10;

/// The largest number of bytes before a fault strikes, and before it strikes again.
const BUDGET: usize = 60_000;

/// The largest number of uploaded bytes before a server is stopped.
const UPLOADED: usize = 1_000_000;

/// More bytes than ever pass.
const NEVER: i64 = i64::MAX;

/// A line of one case.
pub(crate) struct Line {
    fault: Fault,
    tap: Arc<Tap>,
    server: SocketAddr,
    acceptors: Option<Acceptors>,
    connections: AtomicUsize,
    /// The bytes that pass before the fault strikes.
    left: AtomicI64,
}

/// The fate of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Drip,
    Stall,
    Reset,
    Close,
}

impl Line {
    pub(crate) fn new(
        fault: Fault,
        tap: Arc<Tap>,
        server: SocketAddr,
        acceptors: Option<Acceptors>,
    ) -> Self {
        let mut dice = tap.dice(0);
        let left = match fault {
            Fault::Restart => 100_000 + dice.below(UPLOADED),
            _ => dice.below(BUDGET),
        };
        let left = match fault {
            // Whoever knows what passes says when it strikes.
            Fault::BrokenWait | Fault::RestartWait => NEVER,
            _ => i64::try_from(left).unwrap(),
        };
        let left = AtomicI64::new(left);
        Self { fault, tap, server, acceptors, connections: AtomicUsize::new(0), left }
    }

    /// Listens, and carries bytes until the tasks are dropped.
    pub(crate) fn start(self: Arc<Self>) -> (SocketAddr, JoinSet<()>) {
        let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn_on(self.serve(listener), RUNTIME.handle());
        (address, tasks)
    }

    /// Has the fault strike with the next bytes.
    pub(crate) fn strike(&self) {
        self.left.store(0, Ordering::Relaxed);
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let line = Arc::clone(&self);
            // A connection that ends in an error has ended.
            connections.spawn(async move { drop(line.carry(stream).await) });
        }
    }

    async fn carry(&self, near: TcpStream) -> std::io::Result<()> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        if self.fault == Fault::Close
            && self.tap.is_on()
            && number.is_multiple_of(2 + self.tap.seed() % 2)
        {
            self.tap.struck();
            return Ok(());
        }
        near.set_nodelay(true)?;
        let far = TcpStream::connect(self.server).await?;
        far.set_nodelay(true)?;
        match &self.acceptors {
            Some(acceptors) => self.carry_tls(acceptors, near, far).await,
            None => self.carry_plain(near, far).await,
        }
    }

    async fn carry_tls(
        &self,
        acceptors: &Acceptors,
        near: TcpStream,
        mut far: TcpStream,
    ) -> std::io::Result<()> {
        let acceptor = if self.tap.is_on() { &acceptors.wrong } else { &acceptors.right };
        let mut near = acceptor.accept(near).await.inspect_err(|_| self.tap.struck())?;
        copy_bidirectional(&mut near, &mut far).await.map(drop)
    }

    async fn carry_plain(&self, near: TcpStream, far: TcpStream) -> std::io::Result<()> {
        if self.fault == Fault::GoAway {
            return goaway::carry(near, far, || self.counts(PIECE)).await;
        }
        let (near_in, near_out) = near.into_split();
        let (far_in, far_out) = far.into_split();
        let (ended, near_out, far_out) = {
            let (mut near_out, mut far_out) = (near_out, far_out);
            let ended = tokio::select! {
                ended = self.pump(near_in, &mut far_out, true) => ended,
                ended = self.pump(far_in, &mut near_out, false) => ended,
            };
            (ended, near_out, far_out)
        };
        if ended? == Verdict::Reset {
            near_out.as_ref().set_zero_linger()?;
            far_out.as_ref().set_zero_linger()?;
        }
        Ok(())
    }

    /// Carries bytes in one direction. Returns why it stopped.
    async fn pump(
        &self,
        mut from: OwnedReadHalf,
        to: &mut OwnedWriteHalf,
        is_up: bool,
    ) -> std::io::Result<Verdict> {
        let mut buffer = vec![0; PIECE];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                return Ok(Verdict::Close);
            }
            match self.judge(count, is_up) {
                Verdict::Pass => to.write_all(&buffer[..count]).await?,
                Verdict::Drip => self.drip(&buffer[..count], to).await?,
                Verdict::Stall => std::future::pending().await,
                end => {
                    // Half of the piece still arrives.
                    to.write_all(&buffer[..count / 2]).await?;
                    return Ok(end);
                }
            }
        }
    }

    /// Decides what to do with some bytes.
    fn judge(&self, bytes: usize, is_up: bool) -> Verdict {
        if self.fault == Fault::Restart {
            // Only uploads count, and nothing is harmed here.
            if is_up && self.counts(bytes) {
                self.left.store(NEVER, Ordering::Relaxed);
            }
            return Verdict::Pass;
        }
        if !self.counts(bytes) {
            return Verdict::Pass;
        }
        match self.fault {
            Fault::Drip => Verdict::Drip,
            Fault::Stall => Verdict::Stall,
            Fault::Reset => Verdict::Reset,
            Fault::BrokenWait if self.tap.dice(self.tap.count()).coin() => Verdict::Reset,
            Fault::BrokenWait => Verdict::Close,
            Fault::Close => Verdict::Close,
            _ => Verdict::Pass,
        }
    }

    /// Counts some bytes. Tells if the fault strikes.
    fn counts(&self, bytes: usize) -> bool {
        let bytes = i64::try_from(bytes).unwrap();
        if !self.tap.is_on() || self.left.fetch_sub(bytes, Ordering::Relaxed) > bytes {
            return false;
        }
        self.tap.struck();
        if matches!(self.fault, Fault::Reset | Fault::Close | Fault::GoAway) {
            let budget = self.tap.dice(self.tap.count()).below(BUDGET);
            self.left.store(i64::try_from(budget).unwrap(), Ordering::Relaxed);
        }
        if self.fault == Fault::BrokenWait {
            self.left.store(NEVER, Ordering::Relaxed);
        }
        true
    }

    async fn drip(&self, bytes: &[u8], to: &mut OwnedWriteHalf) -> std::io::Result<()> {
        for (at, byte) in bytes.iter().enumerate() {
            if !self.tap.is_on() {
                return to.write_all(&bytes[at..]).await;
            }
            to.write_all(&[*byte]).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }
}
