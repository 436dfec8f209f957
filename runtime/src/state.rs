//! The host's data for one instance of a component.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::output_tail::OutputTail;
use crate::requests::Responder;

/// The data in the wasmtime store of an instance.
pub(crate) struct InstanceState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    answers: Responder,
    table: ResourceTable,
    /// The instance's standard error, to which its log messages also go.
    pub(crate) stderr: OutputTail,
}

impl InstanceState {
    pub(crate) fn new(wasi: &mut WasiCtxBuilder, stderr: OutputTail, answers: Responder) -> Self {
        Self {
            wasi: wasi.stderr(stderr.clone()).build(),
            http: WasiHttpCtx::new(),
            answers,
            table: ResourceTable::new(),
            stderr,
        }
    }
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for InstanceState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.answers, table: &mut self.table, ctx: &mut self.http }
    }
}
