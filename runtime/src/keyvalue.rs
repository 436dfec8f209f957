//! Implements `wasi:keyvalue` with stores in memory, which all instances of a server share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::StoreContextMut;
use wasmtime::component::{
    ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType,
};
use wasmtime_wasi::WasiView as _;

use crate::grants::Access;
use crate::log::Denial;
use crate::state::InstanceState;

/// The version of the interfaces, of which only a draft exists.
const VERSION: &str = "0.2.0-draft";

/// The number of bytes that all keys and values may have together.
const ROOM: usize = 64 << 20;

/// The number of keys that a list of keys has at most.
const PAGE: usize = 1000;

/// Key-value stores in memory, by their names. Cheap to clone; the clones share the stores.
#[derive(Clone, Default)]
pub struct Buckets(Arc<Mutex<Contents>>);

#[derive(Default)]
struct Contents {
    buckets: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    size: usize,
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Buckets")
    }
}

impl Buckets {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.buckets.get(bucket)?.get(key).cloned()
    }

    fn set(&mut self, bucket: &str, key: String, value: Vec<u8>) -> Result<(), Error> {
        let before = self.delete(bucket, &key);
        let size = self.size + key.len() + value.len();
        if size > ROOM {
            if let Some(before) = before {
                self.put(bucket, key, before);
            }
            return Err(Error::Other(format!("the stores have room for {ROOM} bytes")));
        }
        self.put(bucket, key, value);
        Ok(())
    }

    fn put(&mut self, bucket: &str, key: String, value: Vec<u8>) {
        self.size += key.len() + value.len();
        self.buckets.entry(bucket.to_owned()).or_default().insert(key, value);
    }

    fn delete(&mut self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let value = self.buckets.get_mut(bucket)?.remove(key)?;
        self.size -= key.len() + value.len();
        Some(value)
    }
}

/// A store that a component has opened.
struct Bucket {
    name: String,
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
struct KeyResponse {
    keys: Vec<String>,
    cursor: Option<u64>,
}

type Host<'a> = StoreContextMut<'a, InstanceState>;
type Answer<T> = wasmtime::Result<(Result<T, Error>,)>;
type Borrowed = Resource<Bucket>;

/// Adds the interfaces to the imports that components may use.
pub(crate) fn add_to_linker(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    let mut store = linker.instance(&format!("wasi:keyvalue/store@{VERSION}"))?;
    add_bucket(&mut store)?;
    store.func_wrap("open", open)?;
    store.func_wrap(
        "[method]bucket.get",
        |host: Host<'_>, (bucket, key): (Borrowed, String)| {
            with(host, &bucket, |contents, name| Ok(contents.get(name, &key)))
        },
    )?;
    store.func_wrap(
        "[method]bucket.set",
        |host: Host<'_>, (bucket, key, value): (Borrowed, String, Vec<u8>)| {
            with(host, &bucket, |contents, name| contents.set(name, key, value))
        },
    )?;
    store.func_wrap(
        "[method]bucket.delete",
        |host: Host<'_>, (bucket, key): (Borrowed, String)| {
            with(host, &bucket, |contents, name| {
                contents.delete(name, &key);
                Ok(())
            })
        },
    )?;
    store.func_wrap(
        "[method]bucket.exists",
        |host: Host<'_>, (bucket, key): (Borrowed, String)| {
            with(host, &bucket, |contents, name| Ok(contents.get(name, &key).is_some()))
        },
    )?;
    store.func_wrap(
        "[method]bucket.list-keys",
        |host: Host<'_>, (bucket, cursor): (Borrowed, Option<u64>)| {
            with(host, &bucket, |contents, name| Ok(page(contents, name, cursor)))
        },
    )?;
    let mut atomics = linker.instance(&format!("wasi:keyvalue/atomics@{VERSION}"))?;
    add_bucket(&mut atomics)?;
    atomics.func_wrap(
        "increment",
        |host: Host<'_>, (bucket, key, delta): (Borrowed, String, u64)| {
            with(host, &bucket, |contents, name| increment(contents, name, key, delta))
        },
    )?;
    add_batch(linker)
}

fn add_batch(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    let mut batch = linker.instance(&format!("wasi:keyvalue/batch@{VERSION}"))?;
    add_bucket(&mut batch)?;
    batch.func_wrap("get-many", |host: Host<'_>, (bucket, keys): (Borrowed, Vec<String>)| {
        with(host, &bucket, |contents, name| {
            let find = |key: String| contents.get(name, &key).map(|value| (key, value));
            Ok(keys.into_iter().map(find).collect::<Vec<_>>())
        })
    })?;
    batch.func_wrap(
        "set-many",
        |host: Host<'_>, (bucket, pairs): (Borrowed, Vec<(String, Vec<u8>)>)| {
            with(host, &bucket, |contents, name| {
                pairs.into_iter().try_for_each(|(key, value)| contents.set(name, key, value))
            })
        },
    )?;
    batch.func_wrap("delete-many", |host: Host<'_>, (bucket, keys): (Borrowed, Vec<String>)| {
        with(host, &bucket, |contents, name| {
            for key in keys {
                contents.delete(name, &key);
            }
            Ok(())
        })
    })
}

fn add_bucket(interface: &mut LinkerInstance<'_, InstanceState>) -> wasmtime::Result<()> {
    interface.resource("bucket", ResourceType::host::<Bucket>(), |mut host: Host<'_>, handle| {
        host.data_mut().ctx().table.delete(Resource::<Bucket>::new_own(handle))?;
        Ok(())
    })
}

fn open(mut host: Host<'_>, (name,): (String,)) -> Answer<Borrowed> {
    let state = host.data_mut();
    let is_granted = match &state.grants().keyvalue {
        Access::Nothing => false,
        Access::Everything => true,
        Access::Only(names) => names.contains(&name),
    };
    if !is_granted {
        state.voice.deny(Denial {
            import: "wasi:keyvalue/store",
            attempt: format!("open the store `{name}`"),
            capability: format!("keyvalue:{name}"),
        });
        return Ok((Err(Error::AccessDenied),));
    }
    Ok((Ok(state.ctx().table.push(Bucket { name })?),))
}

/// Does something with the contents of an open store.
fn with<T>(
    mut host: Host<'_>,
    bucket: &Borrowed,
    act: impl FnOnce(&mut Contents, &str) -> Result<T, Error>,
) -> Answer<T> {
    let state = host.data_mut();
    let buckets = state.policy.buckets.clone();
    let name = state.ctx().table.get(bucket)?.name.clone();
    let result = act(&mut buckets.lock(), &name);
    Ok((result,))
}

fn page(contents: &Contents, bucket: &str, cursor: Option<u64>) -> KeyResponse {
    let start = usize::try_from(cursor.unwrap_or(0)).unwrap_or(usize::MAX);
    let keys = contents.buckets.get(bucket).into_iter().flatten().map(|(key, _)| key.clone());
    let mut keys: Vec<String> = keys.skip(start).take(PAGE + 1).collect();
    let has_more = keys.len() > PAGE;
    keys.truncate(PAGE);
    let next = cursor.unwrap_or(0).saturating_add(PAGE as u64);
    KeyResponse { keys, cursor: has_more.then_some(next) }
}

/// Adds to a number, which is stored as decimal text.
fn increment(contents: &mut Contents, bucket: &str, key: String, delta: u64) -> Result<u64, Error> {
    let before = match contents.get(bucket, &key) {
        None => 0,
        Some(value) => std::str::from_utf8(&value)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
            .ok_or_else(|| Error::Other(format!("the value of `{key}` is no number")))?,
    };
    let after = before
        .checked_add(delta)
        .ok_or_else(|| Error::Other(format!("the value of `{key}` is too large")))?;
    contents.set(bucket, key, after.to_string().into_bytes())?;
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_pages() {
        let mut contents = Contents::default();
        assert_eq!(increment(&mut contents, "b", "n".into(), 2).unwrap(), 2);
        assert_eq!(increment(&mut contents, "b", "n".into(), 3).unwrap(), 5);
        contents.set("b", "text".into(), b"x".to_vec()).unwrap();
        assert!(increment(&mut contents, "b", "text".into(), 1).is_err());
        for number in 0..1500 {
            contents.set("many", format!("{number:04}"), Vec::new()).unwrap();
        }
        let first = page(&contents, "many", None);
        assert_eq!((first.keys.len(), first.cursor), (1000, Some(1000)));
        let second = page(&contents, "many", first.cursor);
        assert_eq!((second.keys.len(), second.cursor), (500, None));
        assert_eq!(second.keys[0], "1000");
    }

    #[test]
    fn a_full_store_keeps_what_it_has() {
        let mut contents = Contents::default();
        contents.set("b", "k".into(), b"old".to_vec()).unwrap();
        assert!(contents.set("b", "k".into(), vec![0; ROOM]).is_err());
        assert_eq!(contents.get("b", "k"), Some(b"old".to_vec()));
        contents.delete("b", "k");
        assert_eq!(contents.size, 0);
    }
}
