//! Makes and checks tokens: a user's name and its HMAC-SHA256 under the service's key, `ada.3f1c…`.

wit_bindgen::generate!({ world: "auth" });

use exports::demo::auth::tokens::{Denial, Guest};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// A real service is given its key when it is deployed.
const KEY: &[u8] = b"the key of a demo";

struct Auth;

impl Guest for Auth {
    fn issue(user: String) -> String {
        let signature: String =
            signer(&user).finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{user}.{signature}")
    }

    fn check(token: String) -> Result<String, Denial> {
        let (user, signature) = token.rsplit_once('.').ok_or(Denial::Malformed)?;
        let signature = from_hex(signature).ok_or(Denial::Malformed)?;
        // Takes as long for a good signature as for a bad one.
        signer(user).verify_slice(&signature).map_err(|_| Denial::Forged)?;
        Ok(user.to_owned())
    }
}

fn signer(user: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(KEY).expect("a key may have any length");
    mac.update(user.as_bytes());
    mac
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() % 2 != 0 {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

export!(Auth);
