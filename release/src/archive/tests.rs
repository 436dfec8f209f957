//! Tests of the archive: it is always the same, it is read back, and paths lead nowhere else.
//!
//! Archives that somebody has tampered with are tested from outside, with all checks of a release.

use super::*;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn files() -> Files {
    let mut files = Files::new("shop", &version("1.2.0")).unwrap();
    files.add_component("api", b"\0asm".to_vec()).unwrap();
    files.add_source("run.toml", b"[project]".to_vec()).unwrap();
    files.add_source(&format!("{}Cargo.lock", "deep/".repeat(24)), Vec::new()).unwrap();
    files.add_sbom("api", b"{}".to_vec()).unwrap();
    files
}

#[test]
fn an_archive_is_read_back_and_is_always_the_same() {
    let archive = files().to_archive().unwrap();
    assert_eq!(Files::read(&archive, &Limits::STANDARD).unwrap(), files());
    let mut other_order = Files::new("shop", &version("1.2.0")).unwrap();
    let mut members: Vec<_> = files().members.into_iter().collect();
    members.reverse();
    for (path, bytes) in members {
        other_order.add(path.as_str(), bytes).unwrap();
    }
    assert_eq!(other_order.to_archive().unwrap(), archive);
    let tar = zstd::stream::decode_all(archive.as_slice()).unwrap();
    let digest = "2635bd16b207e7c1";
    // The tar archive may never change, or a release can't be made again: this is its digest since the beginning.
    assert_eq!(&Sha256::of(&tar).hex()[..16], digest);
}

#[test]
fn limits_hold_while_an_archive_is_read() {
    let archive = files().to_archive().unwrap();
    let read = |limits: Limits| Files::read(&archive, &limits).unwrap_err();
    let packed = Limits { packed: archive.len() as u64 - 1, ..Limits::STANDARD };
    assert_eq!(read(packed), ArchiveError::TooLarge { limit: packed.packed });
    let unpacked = Limits { unpacked: 5000, ..Limits::STANDARD };
    assert_eq!(read(unpacked), ArchiveError::TooLarge { limit: 5000 });
    assert_eq!(read(Limits { members: 4, ..Limits::STANDARD }), ArchiveError::TooMany(4));
    let enough = Limits { members: 5, packed: archive.len() as u64, ..Limits::STANDARD };
    assert!(Files::read(&archive, &enough).is_ok());
}

#[test]
fn a_bomb_is_not_unpacked() {
    // 256 MiB of zeros need some kilobytes, and the limit ends it after one MiB.
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("shop-1.2.0/source/zeros").unwrap();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(256 << 20);
    header.set_cksum();
    std::io::Write::write_all(&mut encoder, header.as_bytes()).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 256 << 20), &mut encoder).unwrap();
    let bomb = encoder.finish().unwrap();
    let limits = Limits { unpacked: 1 << 20, ..Limits::STANDARD };
    assert!(bomb.len() < 1 << 20);
    assert_eq!(Files::read(&bomb, &limits), Err(ArchiveError::TooLarge { limit: 1 << 20 }));
}

#[test]
fn a_path_is_one_of_a_release() {
    for good in [
        "components/api.wasm",
        "components/api-2.wasm",
        "sbom/api.cdx.json",
        "source/run.toml",
        "source/größe/Cargo.lock",
        "attestations/0123456789abcdef.sigstore.json",
    ] {
        assert_eq!(good.parse::<MemberPath>().unwrap().as_str(), good);
    }
    for bad in [
        "",
        "SHA256SUMS",
        "run.toml",
        "other/run.toml",
        "source",
        "source/",
        "source//run.toml",
        "source/./run.toml",
        "source/../run.toml",
        "source/a/../../../run.toml",
        "/source/run.toml",
        "source/run.toml/",
        "source/a\\b",
        "source/C:x",
        "source/run.toml.",
        "source/a /run.toml",
        "source/a\nb",
        "source/a\u{202e}b",
        "components/Api.wasm",
        "components/api/../x.wasm",
        "components/.wasm",
        "components/api",
        "sbom/api.json",
        "attestations/0123456789ABCDEF.sigstore.json",
        "attestations/0123.sigstore.json",
    ] {
        assert!(bad.parse::<MemberPath>().is_err(), "{bad}");
    }
}

#[test]
fn a_release_has_each_file_once_on_every_system() {
    let mut files = files();
    let twice = files.add_component("api", Vec::new()).unwrap_err();
    assert_eq!(twice, ArchiveError::Twice("components/api.wasm".to_owned()));
    assert!(matches!(files.add_source("../x", Vec::new()), Err(ArchiveError::Path(_))));
    let long = "a/".repeat(200) + "b";
    assert!(matches!(files.add_source(&long, Vec::new()), Err(ArchiveError::Path(_))));
    for other in ["Run.toml", "run.toml/x", "RUN.TOML/x"] {
        let mut files = files.clone();
        files.add_source(other, Vec::new()).unwrap();
        assert!(matches!(files.to_archive(), Err(ArchiveError::Clash(_, _))), "{other}");
    }
}

#[test]
fn a_folder_is_named_after_the_release() {
    assert_eq!(
        Files::new("my_app.x", &version("1.0.0-rc.1+b2")).unwrap().root(),
        "my_app.x-1.0.0-rc.1+b2"
    );
    for project in ["", "../x", ".x", "a/b", "a b", &"a".repeat(90)] {
        assert!(Files::new(project, &version("1.0.0")).is_err(), "{project}");
    }
}

#[test]
fn an_attestation_is_added_by_its_key_only() {
    let (one, two) = (crate::keys::tests::rfc8032(1), crate::keys::tests::rfc8032(2));
    let bundle = Bundle::sign(b"{}", &one);
    let mut files = files();
    let other = files.add_attestation(&bundle, &two.public()).unwrap_err();
    assert!(matches!(other, ArchiveError::NotSigned { .. }));
    files.add_attestation(&bundle, &one.public()).unwrap();
    let path = format!("attestations/{}.sigstore.json", one.public().id().short());
    assert_eq!(files.get(&path), Some(bundle.to_json().as_slice()));
}
