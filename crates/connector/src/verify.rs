//! Tokens that somebody else signed: which keys count, and whether one of them made the signature. What
//! the claims say is the caller's to judge.
//!
//! INVARIANT: the algorithm is the key's, never the token's. A token that names another one is refused,
//! and there is no key for `none` or for keyed hashes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

use crate::document;
use crate::sign::Algorithm;

/// A public key (RFC 7517).
#[derive(Clone)]
pub struct VerifyingKey {
    id: Option<String>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(Vec<u8>),
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?})", self.id)
    }
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It is signed with a key that is not among these. The signer may have a new one.
    #[error("the token is signed with an unknown key")]
    UnknownKey,
    /// It cannot be believed, whatever keys there are.
    #[error("{0}")]
    Refused(&'static str),
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl VerifyingKey {
    /// Reads a key of a key set; none when it is not one that RS256 or ES256 signatures are made with.
    #[must_use]
    pub fn from_jwk(jwk: &Value) -> Option<Self> {
        let jwk = Jwk::deserialize(jwk).ok()?;
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let kind = match jwk.kty.as_str() {
            "RSA" => Kind::Rsa(RsaPublicKeyComponents {
                n: bytes(jwk.n)?,
                e: bytes(jwk.e)?,
            }),
            "EC" if jwk.crv.as_deref() == Some("P-256") => {
                let (x, y) = (bytes(jwk.x)?, bytes(jwk.y)?);
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                Kind::P256([&[4], x.as_slice(), &y].concat())
            }
            _ => return None,
        };
        let key = Self { id: jwk.kid, kind };
        let fits = jwk.alg.is_none_or(|alg| alg == key.algorithm().as_str())
            && jwk.usage.is_none_or(|usage| usage == "sig");
        fits.then_some(key)
    }

    /// The one algorithm its signatures are believed in.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.kind {
            Kind::Rsa(_) => Algorithm::Rs256,
            Kind::P256(_) => Algorithm::Es256,
        }
    }

    fn made(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.kind {
            Kind::Rsa(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
            Kind::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
        }
        .is_ok()
    }
}

/// The claims of a signed token (RFC 7515, compact form), if one of `keys` signed it.
///
/// # Errors
/// When none did. It contains nothing of the token.
pub fn claims(token: &str, keys: &[VerifyingKey]) -> Result<Value, Unverified> {
    const SHAPE: Unverified = Unverified::Refused("the token is not a signed one");
    let (message, signature) = token.rsplit_once('.').ok_or(SHAPE)?;
    let (header, payload) = message.split_once('.').ok_or(SHAPE)?;
    let read = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| SHAPE);
    let header: Header = document::from_slice(&read(header)?).map_err(|_| SHAPE)?;
    if header.crit.is_some() {
        return Err(Unverified::Refused(
            "the token asks for what is not understood",
        ));
    }
    let key = match &header.kid {
        Some(id) => keys.iter().find(|key| key.id.as_ref() == Some(id)),
        // Without a name only one key can be meant.
        None => keys.first().filter(|_| keys.len() == 1),
    };
    let known = ["RS256", "ES256"].contains(&header.alg.as_str());
    if !known {
        return Err(Unverified::Refused(
            "the token is not signed with RS256 or ES256",
        ));
    }
    let key = key.ok_or(Unverified::UnknownKey)?;
    if header.alg != key.algorithm().as_str() {
        return Err(Unverified::Refused(
            "the token names another algorithm than its key is for",
        ));
    }
    if !key.made(message.as_bytes(), &read(signature)?) {
        return Err(Unverified::Refused("the signature is wrong"));
    }
    document::from_slice(&read(payload)?).map_err(|_| SHAPE)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use quell_model::Secret;
    use ring::hmac;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    use super::*;
    use crate::sign::{SigningKey, jwt};

    /// A fresh P-256 key of this name: to sign with, and as a key set has it.
    fn pair(kid: &str) -> (SigningKey, Value) {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let body = STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let public = EcdsaKeyPair::from_pkcs8(kind, der.as_ref(), &random).unwrap();
        let (x, y) = public.public_key().as_ref()[1..].split_at(32);
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "kid": kid,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        });
        (SigningKey::from_pem(&Secret::new(pem)).unwrap(), jwk)
    }

    fn token(key: &SigningKey, header: &Value) -> String {
        let claims = json!({ "sub": "ana" });
        let signed = jwt(key, Algorithm::Es256, header, &claims).unwrap();
        signed.expose().to_owned()
    }

    fn keys(jwks: &[&Value]) -> Vec<VerifyingKey> {
        jwks.iter()
            .filter_map(|jwk| VerifyingKey::from_jwk(jwk))
            .collect()
    }

    #[test]
    fn what_a_known_key_signed_is_read_and_what_another_signed_is_not() {
        let ((ours, jwk), (theirs, other)) = (pair("1"), pair("2"));
        let keys = keys(&[&other, &jwk]);
        let good = token(&ours, &json!({ "kid": "1" }));
        assert_eq!(claims(&good, &keys).unwrap()["sub"], "ana");
        let forged = token(&theirs, &json!({ "kid": "1" }));
        assert!(matches!(
            claims(&forged, &keys),
            Err(Unverified::Refused(_))
        ));
        let unknown = token(&ours, &json!({ "kid": "3" }));
        assert_eq!(claims(&unknown, &keys), Err(Unverified::UnknownKey));
        let nameless = token(&ours, &json!({}));
        assert_eq!(claims(&nameless, &keys), Err(Unverified::UnknownKey));
        assert!(claims(&nameless, &keys[1..]).is_ok());
    }

    #[test]
    fn a_changed_token_is_refused() {
        let (ours, jwk) = pair("1");
        let keys = keys(&[&jwk]);
        let good = token(&ours, &json!({ "kid": "1" }));
        let parts: Vec<&str> = good.split('.').collect();
        let eve = URL_SAFE_NO_PAD.encode(r#"{"sub":"eve"}"#);
        for bad in [
            format!("{}.{eve}.{}", parts[0], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            format!("{good}.x"),
            String::new(),
        ] {
            assert!(claims(&bad, &keys).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_algorithm_is_the_keys_and_never_the_tokens() {
        let (ours, jwk) = pair("1");
        let rsa = json!({ "kty": "RSA", "kid": "r", "n": "sXch", "e": "AQAB" });
        let keys = keys(&[&jwk, &rsa]);
        let unsigned = |header: Value| {
            let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
            format!("{}.{}", part(header), part(json!({ "sub": "eve" })))
        };
        for alg in ["none", "None", "HS256", "PS256", "RS384", ""] {
            let header = json!({ "alg": alg, "kid": "1" });
            assert!(
                claims(&format!("{}.", unsigned(header)), &keys).is_err(),
                "{alg}"
            );
        }
        // The public key, taken for a shared secret.
        let message = unsigned(json!({ "alg": "HS256", "kid": "1" }));
        let shared = hmac::Key::new(hmac::HMAC_SHA256, jwk.to_string().as_bytes());
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&shared, message.as_bytes()));
        assert!(claims(&format!("{message}.{tag}"), &keys).is_err());
        // A good signature whose header names the other kind of key, or the other algorithm.
        for header in [json!({ "kid": "r" }), json!({ "kid": "1", "alg": "RS256" })] {
            let refused = claims(&token(&ours, &header), &keys);
            assert!(matches!(refused, Err(Unverified::Refused(_))), "{header}");
        }
        let critical = json!({ "kid": "1", "crit": ["exp"], "exp": 1 });
        assert!(claims(&token(&ours, &critical), &keys).is_err());
    }

    #[test]
    fn keys_for_something_else_are_no_keys() {
        let (_, jwk) = pair("1");
        for (name, value) in [
            ("use", "enc"),
            ("alg", "ES384"),
            ("alg", "HS256"),
            ("crv", "P-384"),
            ("kty", "oct"),
            ("x", "AAAA"),
        ] {
            let mut other = jwk.clone();
            other[name] = value.into();
            assert!(VerifyingKey::from_jwk(&other).is_none(), "{name} {value}");
        }
    }
}
