//! The clocks of an instance: those of the host, or a virtual one.
//!
//! `wasmtime-wasi` lets a host replace what a clock shows, but a sleep always takes as long as it says. So the interfaces that
//! sleep are implemented here, on top of those of `wasmtime-wasi`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use wasmtime::component::{Accessor, HasData, Linker, Resource};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::clocks::{
    HostMonotonicClock, HostWallClock, WasiClocksCtxView, WasiClocksView as _,
};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock as p2;
use wasmtime_wasi::p3::bindings::clocks::{monotonic_clock as p3, types};

use crate::grants::{Clock, VIRTUAL_START};
use crate::log::Denial;
use crate::state::InstanceState;
use crate::voice::Voice;

/// The time that reading a virtual clock takes, so that a component which waits by reading the clock gets there.
const READING: Duration = Duration::from_micros(1);

/// A clock that shows what a component has made of it.
#[derive(Clone, Debug)]
pub(crate) struct VirtualClock {
    /// The time since 1970 at which the instance started.
    start: Duration,
    /// The number of nanoseconds since then.
    passed: Arc<AtomicU64>,
    /// True if the component may read the clock.
    is_granted: bool,
}

impl VirtualClock {
    /// Sets up the clocks of an instance, and returns the virtual clock if it has one.
    pub(crate) fn set_up(clock: Option<Clock>, wasi: &mut WasiCtxBuilder) -> Option<Self> {
        let start = match clock {
            Some(Clock::Host) => return None,
            Some(Clock::Virtual { start }) => {
                start.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
            }
            None => VIRTUAL_START,
        };
        let virtual_clock = Self { start, passed: Arc::default(), is_granted: clock.is_some() };
        wasi.wall_clock(virtual_clock.clone()).monotonic_clock(virtual_clock.clone());
        Some(virtual_clock)
    }

    fn pass(&self, time: Duration) -> Duration {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let add = |passed: u64| Some(passed.saturating_add(nanoseconds));
        let before = self.passed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        Duration::from_nanos(before.unwrap_or_else(|before| before))
    }

    /// Lets the time pass that a component wants to sleep.
    fn sleep(&self, nanoseconds: u64, voice: &Voice) {
        self.pass(Duration::from_nanos(nanoseconds));
        // A sleep of no time is the way in which a program asks for what is ready.
        if !self.is_granted && nanoseconds > 0 {
            voice.deny(Denial {
                import: "wasi:clocks/monotonic-clock",
                attempt: "sleep, so that its sleeps end at once".to_owned(),
                capability: "clock".to_owned(),
            });
        }
    }
}

impl HostWallClock for VirtualClock {
    fn resolution(&self) -> Duration {
        READING
    }

    fn now(&self) -> Duration {
        self.start.saturating_add(self.pass(READING))
    }
}

impl HostMonotonicClock for VirtualClock {
    fn resolution(&self) -> u64 {
        1000
    }

    fn now(&self) -> u64 {
        u64::try_from(self.pass(READING).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The clocks of an instance, as the implementations of the interfaces see them.
pub(crate) struct ClocksView<'a> {
    wasi: WasiClocksCtxView<'a>,
    virtual_clock: Option<VirtualClock>,
    voice: Arc<Voice>,
}

struct Clocks;

impl HasData for Clocks {
    type Data<'a> = ClocksView<'a>;
}

fn view(state: &mut InstanceState) -> ClocksView<'_> {
    let (virtual_clock, voice) = (state.virtual_clock.clone(), Arc::clone(&state.voice));
    ClocksView { wasi: state.clocks(), virtual_clock, voice }
}

/// Replaces the interfaces that sleep.
pub(crate) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    p2::add_to_linker::<_, Clocks>(linker, view)?;
    p3::add_to_linker::<_, Clocks>(linker, view)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl p2::Host for ClocksView<'_> {
    fn now(&mut self) -> wasmtime::Result<p2::Instant> {
        p2::Host::now(&mut self.wasi)
    }

    fn resolution(&mut self) -> wasmtime::Result<p2::Duration> {
        p2::Host::resolution(&mut self.wasi)
    }

    fn subscribe_instant(&mut self, when: p2::Instant) -> wasmtime::Result<Resource<DynPollable>> {
        match &self.virtual_clock {
            None => self.wasi.subscribe_instant(when),
            Some(clock) => {
                clock.sleep(when.saturating_sub(HostMonotonicClock::now(clock)), &self.voice);
                self.wasi.subscribe_duration(0)
            }
        }
    }

    fn subscribe_duration(
        &mut self,
        duration: p2::Duration,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        match &self.virtual_clock {
            None => self.wasi.subscribe_duration(duration),
            Some(clock) => {
                clock.sleep(duration, &self.voice);
                self.wasi.subscribe_duration(0)
            }
        }
    }
}

impl p3::Host for ClocksView<'_> {
    fn now(&mut self) -> wasmtime::Result<p3::Mark> {
        p3::Host::now(&mut self.wasi)
    }

    fn get_resolution(&mut self) -> wasmtime::Result<types::Duration> {
        p3::Host::get_resolution(&mut self.wasi)
    }
}

impl p3::HostWithStore<InstanceState> for Clocks {
    async fn wait_until(
        store: &Accessor<InstanceState, Self>,
        when: p3::Mark,
    ) -> wasmtime::Result<()> {
        let wait = store.with(|mut access| {
            let mut clocks = access.get();
            Ok::<_, wasmtime::Error>(when.saturating_sub(p3::Host::now(&mut clocks)?))
        })?;
        Self::wait_for(store, wait).await
    }

    async fn wait_for(
        store: &Accessor<InstanceState, Self>,
        duration: types::Duration,
    ) -> wasmtime::Result<()> {
        let is_virtual = store.with(|mut access| {
            let clocks = access.get();
            if let Some(clock) = &clocks.virtual_clock {
                clock.sleep(duration, &clocks.voice);
            }
            clocks.virtual_clock.is_some()
        });
        if is_virtual {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(Duration::from_nanos(duration)).await;
        }
        Ok(())
    }
}
