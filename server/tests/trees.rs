//! `GetTree`, in pages.

use bazel_remote_apis::build::bazel::remote::execution::v2 as reapi;
use cache::{Digest, DigestFunction};
use prost::Message as _;
use tonic::Code;

use crate::harness::{Served, block_on, number, wire};

const FUNCTION: DigestFunction = DigestFunction::Blake3;

fn parent(children: &[(String, Digest)]) -> reapi::Directory {
    let nodes = children.iter().map(|(name, digest)| reapi::DirectoryNode {
        name: name.clone(),
        digest: Some(wire(digest)),
    });
    reapi::Directory { directories: nodes.collect(), ..Default::default() }
}

fn request(root: &Digest, page_size: i32, page_token: &str) -> reapi::GetTreeRequest {
    reapi::GetTreeRequest {
        root_digest: Some(wire(root)),
        page_size,
        page_token: page_token.into(),
        digest_function: number(FUNCTION),
        ..Default::default()
    }
}

async fn pages(served: &Served, request: reapi::GetTreeRequest) -> Vec<reapi::GetTreeResponse> {
    let mut stream = served.cas().await.get_tree(request).await.unwrap().into_inner();
    let mut pages = Vec::new();
    while let Some(page) = stream.message().await.unwrap() {
        pages.push(page);
    }
    pages
}

#[test]
fn each_directory_comes_once_in_pages() {
    let served = Served::start();
    block_on(async {
        let leaf = |name: &str| reapi::Directory {
            symlinks: vec![reapi::SymlinkNode {
                name: name.into(),
                target: "x".into(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let leaves: Vec<_> = (0..7).map(|at| leaf(&at.to_string())).collect();
        let children = leaves
            .iter()
            .enumerate()
            .map(|(at, leaf)| (at.to_string(), served.put(FUNCTION, &leaf.encode_to_vec())));
        let mut children: Vec<_> = children.collect();
        children.push(("again".into(), children[0].1));
        // This one is missing, and is left out.
        children.push(("missing".into(), Digest::of(FUNCTION, b"missing")));
        let root = parent(&children);
        let digest = served.put(FUNCTION, &root.encode_to_vec());
        let all: Vec<_> = std::iter::once(root).chain(leaves).collect();
        let whole = pages(&served, request(&digest, 0, "")).await;
        assert_eq!(whole.len(), 1);
        assert_eq!((&whole[0].directories, &*whole[0].next_page_token), (&all, ""));
        let small = pages(&served, request(&digest, 3, "")).await;
        let joined: Vec<_> = small.iter().flat_map(|page| page.directories.clone()).collect();
        assert_eq!(joined, all);
        assert!(small.iter().all(|page| page.directories.len() <= 3));
        assert_eq!(small.last().unwrap().next_page_token, "");
        let rest = pages(&served, request(&digest, 100, &small[0].next_page_token)).await;
        assert_eq!(rest[0].directories, all[3..]);
    });
}

#[test]
fn what_is_no_tree_is_refused() {
    let served = Served::start();
    block_on(async {
        let missing = Digest::of(FUNCTION, b"missing");
        let broken = served.put(FUNCTION, b"\xff\xff");
        let empty = Digest::empty(FUNCTION);
        for (request, code) in [
            (request(&missing, 0, ""), Code::NotFound),
            (request(&broken, 0, ""), Code::InvalidArgument),
            (request(&empty, -1, ""), Code::InvalidArgument),
            (request(&empty, 0, "x"), Code::InvalidArgument),
        ] {
            let status = served.cas().await.get_tree(request).await.unwrap_err();
            assert_eq!(status.code(), code, "{status}");
        }
        let pages = pages(&served, request(&empty, 0, "")).await;
        assert_eq!(pages[0].directories, [reapi::Directory::default()]);
    });
}
