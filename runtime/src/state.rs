//! What one instance of a component has of the host.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::capture::Capture;
use crate::requests::Answers;

/// The data of a wasmtime store.
pub(crate) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    answers: Answers,
    table: ResourceTable,
    /// Its standard error, where what it logs goes too.
    pub(crate) stderr: Capture,
}

impl State {
    pub(crate) fn new(wasi: &mut WasiCtxBuilder, stderr: Capture, answers: Answers) -> Self {
        Self {
            wasi: wasi.stderr(stderr.clone()).build(),
            http: WasiHttpCtx::new(),
            answers,
            table: ResourceTable::new(),
            stderr,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.answers, table: &mut self.table, ctx: &mut self.http }
    }
}
