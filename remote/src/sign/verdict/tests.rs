use cache::DigestFunction;

use super::*;

fn signer() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap().0).unwrap()
}

fn digest(content: &str) -> Digest {
    Digest::of(DigestFunction::Blake3, content.as_bytes())
}

fn wire(content: &str) -> Option<reapi::Digest> {
    Some(digest(content).to_reapi())
}

fn result() -> reapi::ActionResult {
    let file = |path: &str, content| reapi::OutputFile {
        path: path.to_owned(),
        digest: wire(content),
        ..Default::default()
    };
    reapi::ActionResult {
        output_files: vec![file("a", "1"), file("b", "2")],
        output_directories: vec![reapi::OutputDirectory {
            path: "out".to_owned(),
            tree_digest: wire("tree"),
            root_directory_digest: wire("root"),
            is_topologically_sorted: true,
        }],
        output_symlinks: vec![reapi::OutputSymlink {
            path: "link".to_owned(),
            target: "a".to_owned(),
            node_properties: None,
        }],
        stdout_digest: wire("said"),
        execution_metadata: Some(reapi::ExecutedActionMetadata {
            worker: "here".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[test]
fn what_servers_fill_in_or_reorder_does_not_matter() {
    let (signer, key) = (signer(), digest("key"));
    let trusted = [signer.public().clone()];
    let mut signed = result();
    sign(&signer, &key, &mut signed);
    let check = |change: &dyn Fn(&mut reapi::ActionResult)| {
        let mut changed = signed.clone();
        change(&mut changed);
        assert_eq!(verdict(&trusted, &key, &changed), Verdict::Signed);
    };
    check(&|_| {});
    check(&|result| result.output_files.reverse());
    check(&|result| result.stdout_raw = b"said".to_vec());
    check(&|result| result.stderr_digest = wire(""));
    check(&|result| result.output_files[0].contents = b"1".to_vec());
    check(&|result| result.execution_metadata.as_mut().unwrap().worker = "there".to_owned());
    check(&|result| result.output_file_symlinks = result.output_symlinks.clone());
    check(&|result| sign(&signer, &key, result));
}

#[test]
fn every_tampering_is_seen() {
    let (signer, key) = (signer(), digest("key"));
    let trusted = [signer.public().clone()];
    let mut signed = result();
    sign(&signer, &key, &mut signed);
    let check = |change: &dyn Fn(&mut reapi::ActionResult)| {
        let mut changed = signed.clone();
        change(&mut changed);
        assert_eq!(verdict(&trusted, &key, &changed), Verdict::Forged, "{changed:?}");
    };
    check(&|result| result.output_files[0].digest = wire("2"));
    check(&|result| result.output_files[0].digest.as_mut().unwrap().size_bytes += 1);
    check(&|result| result.output_files[0].digest = None);
    check(&|result| result.output_files[0].contents = b"other".to_vec());
    check(&|result| result.output_files[0].is_executable = true);
    check(&|result| result.output_files[0].path = "c".to_owned());
    check(&|result| _ = result.output_files.pop());
    check(&|result| {
        let (first, second) = result.output_files.split_at_mut(1);
        std::mem::swap(&mut first[0].path, &mut second[0].path);
    });
    check(&|result| result.output_files.push(reapi::OutputFile::default()));
    check(&|result| result.output_directories[0].tree_digest = wire("other"));
    check(&|result| result.output_directories[0].root_directory_digest = wire("other"));
    check(&|result| result.output_directories[0].root_directory_digest = None);
    check(&|result| result.output_directories.clear());
    check(&|result| result.output_symlinks[0].target = "b".to_owned());
    check(&|result| result.output_symlinks.clear());
    check(&|result| result.exit_code = 1);
    check(&|result| result.stdout_digest = wire("other"));
    check(&|result| result.stdout_digest = None);
    check(&|result| result.stdout_raw = b"other".to_vec());
    check(&|result| result.stderr_raw = b"other".to_vec());
    check(&|result| result.stderr_digest = wire("other"));
    check(&|result| alter(result, |signature| signature.signature[7] ^= 1));
    check(&|result| alter(result, |signature| signature.signature.clear()));
    check(&|result| alter(result, |signature| signature.algorithm = "none".to_owned()));
}

fn alter(result: &mut reapi::ActionResult, change: impl Fn(&mut Signature)) {
    let any = &mut result.execution_metadata.as_mut().unwrap().auxiliary_metadata[0];
    let mut signature = Signature::decode(&*any.value).unwrap();
    change(&mut signature);
    any.value = signature.encode_to_vec();
}

#[test]
fn a_signature_holds_for_one_action_and_one_function() {
    let (signer, key) = (signer(), digest("key"));
    let trusted = [signer.public().clone()];
    let mut signed = result();
    sign(&signer, &key, &mut signed);
    let other_function = Digest::new(DigestFunction::Sha256, *key.hash(), key.size());
    let other_size = Digest::new(key.function(), *key.hash(), key.size() + 1);
    for other in [digest("other"), other_function, other_size] {
        assert_eq!(verdict(&trusted, &other, &signed), Verdict::Forged);
    }
}

#[test]
fn keys_that_nobody_trusts_count_for_nothing() {
    let (ours, theirs, key) = (signer(), signer(), digest("key"));
    let trusted = [ours.public().clone()];
    let mut signed = result();
    assert_eq!(verdict(&trusted, &key, &signed), Verdict::Unsigned);
    sign(&theirs, &key, &mut signed);
    assert_eq!(verdict(&trusted, &key, &signed), Verdict::Unsigned);
    // A foreign key that borrows the name of a trusted one.
    alter(&mut signed, |signature| signature.key_id = ours.public().id());
    assert_eq!(verdict(&trusted, &key, &signed), Verdict::Forged);
    let metadata = signed.execution_metadata.as_mut().unwrap();
    metadata.auxiliary_metadata[0].value = vec![0xff; 9];
    assert_eq!(verdict(&trusted, &key, &signed), Verdict::Unsigned);
}
