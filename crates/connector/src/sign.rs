//! Signatures that vendors ask for: signed tokens instead of shared secrets, and keyed hashes over
//! requests and pushes. The mathematics is `ring`'s; only the forms are made here.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quell_model::Secret;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding,
};
use ring::{hmac, rsa};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Map, Value};

/// A private key to sign with.
pub struct SigningKey(Kind);

enum Kind {
    Rsa(Box<rsa::KeyPair>),
    P256(Box<EcdsaKeyPair>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// How a token is signed (RFC 7518, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with PKCS #1 padding and SHA-256.
    Rs256,
    /// RSA with PSS padding and SHA-256.
    Ps256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// Its name in a token's header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
        }
    }
}

impl SigningKey {
    /// Reads a private key in PEM form: RSA (2048 to 8192 bits) as PKCS #8 or PKCS #1, P-256 as PKCS #8.
    ///
    /// # Errors
    /// One sentence about what it is instead. It contains nothing of the text.
    pub fn from_pem(pem: &Secret) -> Result<Self, String> {
        let key = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).map_err(|_| {
            "is no private key in PEM form (`-----BEGIN PRIVATE KEY-----`)".to_owned()
        })?;
        let unusable = |what: &str| format!("is {what}; use RSA with at least 2048 bits, or P-256");
        match &key {
            PrivateKeyDer::Pkcs1(der) => rsa::KeyPair::from_der(der.secret_pkcs1_der())
                .map(|key| Self(Kind::Rsa(Box::new(key))))
                .map_err(|_| unusable("an RSA key that cannot be used")),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                if let Ok(key) = rsa::KeyPair::from_pkcs8(der) {
                    return Ok(Self(Kind::Rsa(Box::new(key))));
                }
                EcdsaKeyPair::from_pkcs8(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    der,
                    &SystemRandom::new(),
                )
                .map(|key| Self(Kind::P256(Box::new(key))))
                .map_err(|_| unusable("a kind of key that cannot be used"))
            }
            _ => Err(
                "is not in PKCS #8 form; `openssl pkcs8 -topk8 -nocrypt` makes it so".to_owned(),
            ),
        }
    }

    /// A new P-256 key that lives in this process alone, and its public part as a JWK (RFC 7517).
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub fn fresh() -> Result<(Self, Value), String> {
        let random = SystemRandom::new();
        let made = |_| "no key can be made: there are no random numbers".to_owned();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let der = EcdsaKeyPair::generate_pkcs8(kind, &random).map_err(made)?;
        let key = EcdsaKeyPair::from_pkcs8(kind, der.as_ref(), &random)
            .map_err(|_| "the key that was made cannot be used".to_owned())?;
        // The point without compression: a 4, then both coordinates.
        let point = key.public_key().as_ref();
        let part = |range| URL_SAFE_NO_PAD.encode(point.get(range).unwrap_or_default());
        let public = serde_json::json!({
            "kty": "EC", "crv": "P-256", "x": part(1..33), "y": part(33..65),
        });
        Ok((Self(Kind::P256(Box::new(key))), public))
    }

    /// The algorithm to use where the vendor leaves it open.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Kind::Rsa(_) => Algorithm::Rs256,
            Kind::P256(_) => Algorithm::Es256,
        }
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        let random = SystemRandom::new();
        let failed = |_| "the key cannot sign".to_owned();
        let with_rsa = |key: &rsa::KeyPair, encoding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; key.public().modulus_len()];
            key.sign(encoding, &random, message, &mut signature)
                .map_err(failed)?;
            Ok(signature)
        };
        match (&self.0, algorithm) {
            (Kind::Rsa(key), Algorithm::Rs256) => with_rsa(key, &RSA_PKCS1_SHA256),
            (Kind::Rsa(key), Algorithm::Ps256) => with_rsa(key, &RSA_PSS_SHA256),
            (Kind::P256(key), Algorithm::Es256) => {
                let signature = key.sign(&random, message).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
            (Kind::Rsa(_), Algorithm::Es256) => {
                Err("is an RSA key, and P-256 is needed".to_owned())
            }
            (Kind::P256(_), _) => Err("is a P-256 key, and RSA is needed".to_owned()),
        }
    }
}

/// A signed token (RFC 7515, compact form). `header` has the members beside `alg` and `typ`, which it
/// may also replace.
///
/// # Errors
/// When the key is not one for the algorithm. It contains nothing of the key.
pub fn jwt(
    key: &SigningKey,
    algorithm: Algorithm,
    header: &Value,
    claims: &Value,
) -> Result<Secret, String> {
    let mut members = Map::new();
    members.insert("alg".to_owned(), algorithm.as_str().into());
    members.insert("typ".to_owned(), "JWT".into());
    members.extend(header.as_object().cloned().unwrap_or_default());
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&Value::Object(members)), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(algorithm, message.as_bytes())?);
    Ok(Secret::new(format!("{message}.{signature}")))
}

/// HMAC-SHA-256 of `message` in lower-case hexadecimal.
#[must_use]
pub fn hmac_sha256_hex(key: &Secret, message: &[u8]) -> String {
    keyed(hmac::HMAC_SHA256, key, message)
}

/// HMAC-SHA-512 of `message` in lower-case hexadecimal.
#[must_use]
pub fn hmac_sha512_hex(key: &Secret, message: &[u8]) -> String {
    keyed(hmac::HMAC_SHA512, key, message)
}

fn keyed(algorithm: hmac::Algorithm, key: &Secret, message: &[u8]) -> String {
    let key = hmac::Key::new(algorithm, key.expose().as_bytes());
    hex(hmac::sign(&key, message).as_ref())
}

/// SHA-512 of `message` in lower-case hexadecimal.
#[must_use]
pub fn sha512_hex(message: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA512, message).as_ref())
}

/// SHA-256 of `message` in URL-safe base64, as RFC 7636 wants a verifier's challenge.
#[must_use]
pub fn sha256_base64url(message: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, message))
}

/// Whether two texts are the same, in a time that does not tell where they differ.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    // Keyed hashes of equal length are compared, so that not even the length shows.
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"compare");
    hmac::verify(&key, a, hmac::sign(&key, b).as_ref()).is_ok()
}

/// A text nobody can guess, never the same twice: for token ids and nonces.
#[must_use]
pub fn unique_id() -> String {
    let mut bytes = [0; 16];
    // The operating system's source fails only where nothing works; repeated zeros are then refused by
    // the vendor as a replay.
    SystemRandom::new().fill(&mut bytes).unwrap_or_default();
    hex(&bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    fn pem(kind: &str, der: &[u8]) -> Secret {
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        Secret::new(format!(
            "-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n"
        ))
    }

    #[test]
    fn a_token_is_verified_by_its_public_key_and_not_when_a_claim_was_changed() {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = SigningKey::from_pem(&pem("PRIVATE KEY", der.as_ref())).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Es256);
        let header = serde_json::json!({ "kid": "k1" });
        let token = jwt(
            &key,
            Algorithm::Es256,
            &header,
            &serde_json::json!({ "sub": "quell" }),
        )
        .unwrap();
        let (message, signature) = token.expose().rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random)
                .unwrap()
                .public_key()
                .as_ref()
                .to_vec();
        let verifier = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public);
        assert!(verifier.verify(message.as_bytes(), &signature).is_ok());
        let changed = message.replace('e', "f");
        assert!(verifier.verify(changed.as_bytes(), &signature).is_err());
        let header = URL_SAFE_NO_PAD
            .decode(message.split('.').next().unwrap())
            .unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(
            header,
            serde_json::json!({ "alg": "ES256", "typ": "JWT", "kid": "k1" })
        );
    }

    #[test]
    fn a_fresh_key_signs_for_the_public_part_that_came_with_it() {
        let (key, public) = SigningKey::fresh().unwrap();
        let claims = serde_json::json!({});
        let token = jwt(&key, Algorithm::Es256, &claims, &claims).unwrap();
        let (message, signature) = token.expose().rsplit_once('.').unwrap();
        let part = |name: &str| {
            URL_SAFE_NO_PAD
                .decode(public[name].as_str().unwrap())
                .unwrap()
        };
        let point = [vec![4], part("x"), part("y")].concat();
        let verifier = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(verifier.verify(message.as_bytes(), &signature).is_ok());
        assert_ne!(SigningKey::fresh().unwrap().1, public);
    }

    #[test]
    fn a_key_of_the_wrong_kind_is_refused_without_a_word_of_it() {
        let text = Secret::new("hunter2".to_owned());
        assert!(!SigningKey::from_pem(&text).unwrap_err().contains("hunter2"));
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = SigningKey::from_pem(&pem("PRIVATE KEY", der.as_ref())).unwrap();
        let claims = serde_json::json!({});
        assert!(jwt(&key, Algorithm::Rs256, &claims, &claims).is_err());
        assert!(
            SigningKey::from_pem(&pem("EC PRIVATE KEY", &[0x30, 0]))
                .unwrap_err()
                .contains("PKCS #8")
        );
    }

    // RFC 4231, test case 2.
    #[test]
    fn keyed_hashes_are_those_of_the_standard() {
        let key = Secret::new("Jefe".to_owned());
        let message = b"what do ya want for nothing?";
        assert_eq!(
            hmac_sha256_hex(&key, message),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(hmac_sha512_hex(&key, message).starts_with("164b7a7bfcf819e2e395fbe73b56e0a3"));
    }

    #[test]
    fn only_the_same_text_is_the_same_and_no_id_comes_twice() {
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abcd") && !same(b"", b"a"));
        assert_ne!(unique_id(), unique_id());
    }
}
