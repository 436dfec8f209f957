//! Signed results, over the wire.

use cache::Digest;

use super::server::Server;
use super::{Sample, client, never, settings, troubles, with_both};
use crate::{Kept, PublicKey, SigningKey, Trust};

fn signer() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap().0).unwrap()
}

fn reader(server: &Server, trusted: &[&PublicKey], require_signed: bool) -> crate::Client {
    let trusted_keys = trusted.iter().map(|key| (*key).clone()).collect();
    let trust = Trust { trusted_keys, require_signed };
    client(crate::Settings { trust, ..settings(&server.url()) })
}

fn writer(server: &Server, signing_key: Option<&SigningKey>) -> crate::Client {
    client(crate::Settings { signing_key: signing_key.cloned(), ..settings(&server.url()) })
}

#[test]
fn results_are_believed_as_the_settings_say() {
    with_both(|server, function| {
        let sample = Sample::new(function, 1000);
        let (ours, theirs) = (signer(), signer());
        let check = |key: &Digest, trusted: &[&PublicKey], require: bool, expect: bool| {
            let client = reader(&server, trusted, require);
            assert_eq!(client.result(key, &never).is_some(), expect);
            let told = troubles(&client);
            assert_eq!(told.len(), usize::from(!expect), "{told:?}");
            assert!(expect || told[0].starts_with("1 results of the cache at "), "{told:?}");
        };
        let keep = |client: crate::Client| {
            client.keep(&sample.key, &sample.result, &sample.place.store, &never)
        };
        let key = &sample.key;
        assert_eq!(keep(writer(&server, None)), Kept::Uploaded);
        check(key, &[], false, true);
        check(key, &[ours.public()], false, true);
        check(key, &[ours.public()], true, false);
        assert_eq!(keep(writer(&server, Some(&theirs))), Kept::Uploaded, "it was not signed");
        check(key, &[ours.public()], true, false);
        check(key, &[theirs.public(), ours.public()], true, true);
        assert_eq!(keep(writer(&server, Some(&ours))), Kept::Uploaded, "another key had signed it");
        check(key, &[ours.public()], true, true);
        check(key, &[], true, false);
        assert_eq!(keep(writer(&server, Some(&ours))), Kept::AlreadyThere);

        // The server shows the signed result for another action.
        let other = Digest::of(function, b"another action");
        let mut results = server.shared.results.lock().unwrap();
        let signed = results.get(&key.hex()).unwrap().clone();
        results.insert(other.hex(), signed);
        drop(results);
        check(&other, &[ours.public()], true, false);
        check(&other, &[ours.public()], false, false);
        check(&other, &[theirs.public()], false, true);
    });
}
