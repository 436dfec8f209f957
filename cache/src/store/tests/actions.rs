//! The action cache on disk.

use super::*;
use crate::reapi::{ActionResult, OutputFile};

fn result(path: &str) -> ActionResult {
    let output = OutputFile { path: path.to_owned(), ..OutputFile::default() };
    ActionResult { output_files: vec![output], ..ActionResult::default() }
}

#[test]
fn results_round_trip_and_are_replaced() {
    for_each_function(|store| {
        let key = Digest::of(store.function(), b"action");
        assert_eq!(store.action_result(&key).unwrap(), None);
        for path in ["first", "second"] {
            store.put_action_result(&key, &result(path)).unwrap();
            assert_eq!(store.action_result(&key).unwrap(), Some(result(path)));
        }
    });
}

#[test]
fn a_damaged_entry_is_a_miss_and_is_replaced() {
    for_each_function(|store| {
        let key = Digest::of(store.function(), b"action");
        let path = store.layout().action(&key);
        let damage: [fn(&Path); 3] = [
            flip_byte,
            |path| fs::File::options().write(true).open(path).unwrap().set_len(20).unwrap(),
            |path| fs::write(path, "").unwrap(),
        ];
        for damage in damage {
            store.put_action_result(&key, &result("out")).unwrap();
            damage(&path);
            assert_eq!(store.action_result(&key).unwrap(), None);
        }
        store.put_action_result(&key, &result("again")).unwrap();
        assert_eq!(store.action_result(&key).unwrap(), Some(result("again")));
    });
}

#[test]
fn an_entry_under_another_key_s_name_is_a_miss() {
    let store = blake3_store();
    let (ours, theirs) = (
        Digest::of(DigestFunction::Blake3, b"action"),
        Digest::new(DigestFunction::Blake3, [1; 32], 6),
    );
    store.put_action_result(&ours, &result("out")).unwrap();
    let path = store.layout().action(&theirs);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(store.layout().action(&ours), path).unwrap();
    assert_eq!(store.action_result(&theirs).unwrap(), None);
}
