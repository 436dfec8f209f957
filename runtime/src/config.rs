//! Implements `wasi:config/store`. A component sees the values that it is granted, and no others exist for it.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use crate::state::InstanceState;

/// The names of the interface, of which only drafts exist.
const INTERFACES: [&str; 2] = ["wasi:config/store@0.2.0-draft", "wasi:config/store@0.2.0-rc.1"];

/// The error of the interface, which this implementation never gives.
#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}

type Answer<T> = wasmtime::Result<(Result<T, Error>,)>;

/// Adds the interface to the imports that components may use.
pub(crate) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    for name in INTERFACES {
        let mut interface = linker.instance(name)?;
        interface.func_wrap("get", get)?;
        interface.func_wrap("get-all", get_all)?;
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "the linker wants functions that can trap")]
fn get(store: StoreContextMut<'_, InstanceState>, (key,): (String,)) -> Answer<Option<String>> {
    let values = &store.data().grants().config;
    let value = values.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
    Ok((Ok(value),))
}

#[expect(clippy::unnecessary_wraps, reason = "the linker wants functions that can trap")]
fn get_all(store: StoreContextMut<'_, InstanceState>, (): ()) -> Answer<Vec<(String, String)>> {
    Ok((Ok(store.data().grants().config.clone()),))
}
