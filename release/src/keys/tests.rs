//! Tests of keys. The texts of keys were written by openssl 3.
//!
//! Signatures are compared with those of RFC 8032, and an error is searched for parts of a private key.

use super::*;

/// A private key that `openssl genpkey -algorithm ed25519` wrote for a test, and what `openssl pkey -pubout` made of it.
const OPENSSL_PRIVATE: &str = "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIEAgG25JGnoICgbUNwzikHYTo1X/mho92Y8MW2D0eUDi
-----END PRIVATE KEY-----
";
const OPENSSL_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAS3wY87PFFu4XHL2w+8SR8iwYw0VydYzshMpavBZF0A8=
-----END PUBLIC KEY-----
";

/// A key of P-256, and the signature of `hello\n` that `openssl dgst -sha256 -sign` made with it.
const P256_PUBLIC_PEM: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQwisZtD/PUvZYptLWu3yrjP14aly
3fk+xe90Php8bPjwkPxxltX+kvYBhWZ7zlUc/P9HV/BKR6p5u9nKm0fAWA==
-----END PUBLIC KEY-----
";
const P256_SIGNATURE: &str = "MEUCICsVHMtWofsi/H+aG/yR3o6WTmEw/mMYhKdH+nqGjP3iAiEAuvdPLrs621wPJwajH8VacvBZAYyWdbHwx6WMZO3jveY=";

/// Returns the key of a test of RFC 8032, section 7.1.
pub(crate) fn rfc8032(test: usize) -> PrivateKey {
    let seed = match test {
        1 => "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        2 => "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        _ => panic!("there is no such test here"),
    };
    let seed: Sha256 = seed.parse().expect("these are 64 digits");
    PrivateKey::from_seed(seed.bytes()).unwrap()
}

#[test]
fn signatures_are_those_of_the_rfc() {
    let key = rfc8032(1);
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    assert_eq!(key.pair.public_key().as_ref(), public.parse::<Sha256>().unwrap().bytes());
    let signature = key.sign(b"");
    let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    );
    assert!(key.public().has_signed(b"", &signature));
    assert!(!key.public().has_signed(b"x", &signature));
    assert!(!rfc8032(2).public().has_signed(b"", &signature));
    assert!(!key.public().has_signed(b"", &signature[1..]));
    assert!(!key.public().has_signed(b"", &[]));
}

#[test]
fn keys_are_the_same_as_those_of_openssl() {
    let key = PrivateKey::from_pem(OPENSSL_PRIVATE).unwrap();
    assert_eq!(*key.to_pem(), OPENSSL_PRIVATE);
    assert_eq!(key.public().to_pem(), OPENSSL_PUBLIC);
    assert_eq!(PublicKey::from_pem(OPENSSL_PUBLIC).unwrap(), key.public());
}

#[test]
fn keys_are_generated_written_and_read_back() {
    let (one, two) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
    assert_ne!(one.public(), two.public());
    let again = PrivateKey::from_pem(&one.to_pem()).unwrap();
    assert_eq!(again.public(), one.public());
    assert_eq!(again.sign(b"message"), one.sign(b"message"));
    assert_eq!(PublicKey::from_pem(&one.public().to_pem()).unwrap(), one.public());
    assert_eq!(one.public().id().short().len(), 16);
}

#[test]
fn signatures_of_p256_are_checked() {
    let key = PublicKey::from_pem(P256_PUBLIC_PEM).unwrap();
    assert_eq!(key.to_pem(), P256_PUBLIC_PEM);
    let signature = STANDARD.decode(P256_SIGNATURE).unwrap();
    assert!(key.has_signed(b"hello\n", &signature));
    assert!(!key.has_signed(b"hello", &signature));
    let mut wrong = signature;
    *wrong.last_mut().unwrap() ^= 1;
    assert!(!key.has_signed(b"hello\n", &wrong));
}

#[test]
fn nothing_shows_a_private_key() {
    let key = PrivateKey::from_pem(OPENSSL_PRIVATE).unwrap();
    let body = OPENSSL_PRIVATE.lines().nth(1).unwrap();
    let shown = format!("{key:?} {key:#?}");
    assert!(!shown.contains(&body[24..]) && shown.contains("***"), "{shown}");
    // Damaged in any place, it leaves nothing of itself in the error.
    for at in 0..OPENSSL_PRIVATE.len() {
        let mut text = OPENSSL_PRIVATE.to_owned();
        text.replace_range(at..=at, "%");
        if let Err(error) = PrivateKey::from_pem(&text) {
            let shown = format!("{error} {error:?}");
            let leaks = (0..body.len() - 8).any(|at| shown.contains(&body[at..at + 8]));
            assert!(!leaks, "{shown}");
        }
    }
}

#[test]
fn what_is_not_one_key_is_refused_with_its_reason() {
    let private = |text: &str| PrivateKey::from_pem(text).map(|_| ());
    let public = |text: &str| PublicKey::from_pem(text).map(|_| ());
    assert_eq!(private(""), Err(KeyError::None("private")));
    assert_eq!(public("nothing"), Err(KeyError::None("public")));
    assert_eq!(private(&OPENSSL_PRIVATE.repeat(2)), Err(KeyError::Several));
    assert_eq!(public(&format!("{OPENSSL_PUBLIC}{OPENSSL_PRIVATE}")), Err(KeyError::Several));
    assert_eq!(private(OPENSSL_PUBLIC), Err(KeyError::IsPublic));
    assert_eq!(public(OPENSSL_PRIVATE), Err(KeyError::IsPrivate));
    assert_eq!(private(&OPENSSL_PRIVATE.replace('\n', "")), Err(KeyError::Damaged));
    assert_eq!(private(&OPENSSL_PRIVATE[..70]), Err(KeyError::Damaged));
    assert_eq!(private(&" ".repeat(LONGEST + 1)), Err(KeyError::TooLong));
    let encrypted = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n";
    assert_eq!(private(encrypted), Err(KeyError::Encrypted));
    assert_eq!(public(encrypted), Err(KeyError::IsPrivate));
    let other = pem("PUBLIC", b"no key");
    assert_eq!(public(&other), Err(KeyError::OtherPublic));
    assert_eq!(private(&pem("PRIVATE", b"no key")), Err(KeyError::NotEd25519));
    assert_eq!(private(&pem("EC PRIVATE", b"no key")), Err(KeyError::NotEd25519));
    // Text around the key, as openssl writes it with `-text`, is not a part of it.
    assert_eq!(public(&format!("ED25519 Public-Key:\n{OPENSSL_PUBLIC}\n")), Ok(()));
}
