//! Results of actions, over both protocols.

use bazel_remote_apis::build::bazel::remote::execution::v2 as reapi;
use cache::{Digest, DigestFunction};
use prost::Message as _;
use tonic::Code;

use crate::harness::{Served, block_on, client, number, wire};

fn get(key: &Digest) -> reapi::GetActionResultRequest {
    reapi::GetActionResultRequest {
        action_digest: Some(wire(key)),
        digest_function: number(key.function()),
        ..Default::default()
    }
}

fn update(key: &Digest, result: &reapi::ActionResult) -> reapi::UpdateActionResultRequest {
    reapi::UpdateActionResultRequest {
        action_digest: Some(wire(key)),
        action_result: Some(result.clone()),
        digest_function: number(key.function()),
        ..Default::default()
    }
}

fn file(path: &str, digest: &Digest) -> reapi::OutputFile {
    reapi::OutputFile { path: path.into(), digest: Some(wire(digest)), ..Default::default() }
}

fn remove(served: &Served, digest: &Digest) {
    std::fs::remove_file(served.store.blob_path(digest, false).unwrap().unwrap()).unwrap();
}

#[test]
fn a_result_is_a_hit_over_both_protocols() {
    for function in DigestFunction::ALL {
        for is_action_known in [false, true] {
            let served = Served::start();
            block_on(async {
                let key = Digest::of(function, b"action");
                if is_action_known {
                    served.put(function, b"action");
                }
                let output = served.put(function, b"output");
                let result = reapi::ActionResult {
                    output_files: vec![file("a", &output)],
                    stdout_digest: Some(wire(&output)),
                    ..Default::default()
                };
                let mut actions = served.actions().await;
                let missing = actions.get_action_result(get(&key)).await.unwrap_err();
                assert_eq!(missing.code(), Code::NotFound);
                let url = served.url(&format!("/some/prefix/ac/{}", key.hex()));
                assert_eq!(client().get(&url).send().await.unwrap().status(), 404);
                actions.update_action_result(update(&key, &result)).await.unwrap();
                let found = actions.get_action_result(get(&key)).await.unwrap();
                assert_eq!(found.into_inner(), result);
                let plain = client().get(&url).send().await.unwrap();
                assert_eq!(plain.status(), 200);
                assert_eq!(plain.bytes().await.unwrap(), result.encode_to_vec());
                let other = Digest::of(function, b"other");
                let put = client().put(served.url(&format!("/ac/{}", other.hex())));
                let put = put.body(result.encode_to_vec()).send().await.unwrap();
                assert_eq!(put.status(), 200);
                let found = actions.get_action_result(get(&other)).await.unwrap();
                assert_eq!(found.into_inner(), result);
            });
        }
    }
}

#[test]
fn a_result_without_its_blobs_is_a_miss_and_is_not_taken() {
    let served = Served::start();
    block_on(async {
        let function = DigestFunction::Sha256;
        let key = served.put(function, b"action");
        let output = served.put(function, b"output");
        let result =
            reapi::ActionResult { output_files: vec![file("a", &output)], ..Default::default() };
        let mut actions = served.actions().await;
        actions.update_action_result(update(&key, &result)).await.unwrap();
        actions.get_action_result(get(&key)).await.unwrap();
        remove(&served, &output);
        let missing = actions.get_action_result(get(&key)).await.unwrap_err();
        assert_eq!(missing.code(), Code::NotFound, "{missing}");
        let url = served.url(&format!("/ac/{}", key.hex()));
        assert_eq!(client().get(&url).send().await.unwrap().status(), 404);
        let refused = actions.update_action_result(update(&key, &result)).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
        let refused = client().put(&url).body(result.encode_to_vec()).send().await.unwrap();
        assert_eq!(refused.status(), 422);
        // The result counts again as soon as its blob is back.
        served.put(function, b"output");
        actions.get_action_result(get(&key)).await.unwrap();
    });
}

#[test]
fn everything_in_an_output_directory_has_to_be_there() {
    let served = Served::start();
    block_on(async {
        let function = DigestFunction::Blake3;
        let key = served.put(function, b"action");
        let inner = served.put(function, b"inner");
        let node = |name: &str, digest: &Digest| reapi::FileNode {
            name: name.into(),
            digest: Some(wire(digest)),
            ..Default::default()
        };
        let child = reapi::Directory { files: vec![node("f", &inner)], ..Default::default() };
        let below = Digest::of(function, &child.encode_to_vec());
        let below = reapi::DirectoryNode { name: "d".into(), digest: Some(wire(&below)) };
        let root = reapi::Directory { directories: vec![below], ..Default::default() };
        let whole = reapi::Tree { root: Some(root.clone()), children: vec![child.clone()] };
        let partial = reapi::Tree { root: Some(root.clone()), children: Vec::new() };
        let tree = served.put(function, &whole.encode_to_vec());
        let partial = served.put(function, &partial.encode_to_vec());
        let broken = served.put(function, b"\xff\xff");
        let root = served.put(function, &root.encode_to_vec());
        let result = |tree: Option<&Digest>, root: Option<&Digest>| reapi::ActionResult {
            output_directories: vec![reapi::OutputDirectory {
                path: "out".into(),
                tree_digest: tree.map(wire),
                root_directory_digest: root.map(wire),
                ..Default::default()
            }],
            ..Default::default()
        };
        let mut actions = served.actions().await;
        for (result, code) in [
            (result(Some(&partial), None), Code::FailedPrecondition),
            (result(None, Some(&root)), Code::FailedPrecondition),
            (result(Some(&tree), Some(&root)), Code::FailedPrecondition),
            (result(Some(&broken), None), Code::InvalidArgument),
            (result(None, None), Code::InvalidArgument),
        ] {
            let refused = actions.update_action_result(update(&key, &result)).await.unwrap_err();
            assert_eq!(refused.code(), code, "{refused}");
        }
        // A Tree message has its directories inside, so they need no blobs.
        actions.update_action_result(update(&key, &result(Some(&tree), None))).await.unwrap();
        served.put(function, &child.encode_to_vec());
        for whole in [result(Some(&partial), None), result(Some(&tree), Some(&root))] {
            actions.update_action_result(update(&key, &whole)).await.unwrap();
            actions.get_action_result(get(&key)).await.unwrap();
        }
        remove(&served, &inner);
        let missing = actions.get_action_result(get(&key)).await.unwrap_err();
        assert_eq!(missing.code(), Code::NotFound, "{missing}");
    });
}

#[test]
fn contents_inside_of_a_result_become_blobs() {
    let served = Served::start();
    block_on(async {
        let function = DigestFunction::Sha256;
        let key = served.put(function, b"action");
        let output = Digest::of(function, b"output");
        let with = |contents: &[u8]| reapi::ActionResult {
            output_files: vec![reapi::OutputFile {
                contents: contents.to_vec(),
                ..file("a", &output)
            }],
            ..Default::default()
        };
        let mut actions = served.actions().await;
        let wrong = actions.update_action_result(update(&key, &with(b"wrong"))).await.unwrap_err();
        assert_eq!(wrong.code(), Code::InvalidArgument, "{wrong}");
        actions.update_action_result(update(&key, &with(b"output"))).await.unwrap();
        assert_eq!(served.store.get(&output).unwrap().unwrap(), b"output");
        let found = actions.get_action_result(get(&key)).await.unwrap().into_inner();
        assert_eq!(found, with(b""));
    });
}

#[test]
fn garbage_is_no_result() {
    let served = Served::start();
    block_on(async {
        let url = served.url(&format!("/ac/{}", "ab".repeat(32)));
        let broken = reapi::ActionResult {
            output_files: vec![reapi::OutputFile { path: "a".into(), ..Default::default() }],
            ..Default::default()
        };
        for body in [b"\xff\xffgarbage".to_vec(), broken.encode_to_vec()] {
            let refused = client().put(&url).body(body).send().await.unwrap();
            assert_eq!(refused.status(), 400);
        }
        let huge = client().put(&url).body(vec![0; 17 << 20]).send().await.unwrap();
        assert_eq!(huge.status(), 413);
        assert_eq!(client().get(&url).send().await.unwrap().status(), 404);
    });
}
