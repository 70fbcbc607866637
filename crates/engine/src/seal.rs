//! Sealing: what must not lie readable in the database, nor in a copy of it.

use std::fmt;

use quell_model::Secret;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// A key that seals secrets. It lives beside the database and never in it.
#[derive(Clone)]
pub struct Seal(LessSafeKey);

/// A key that cannot be used, or a machine without randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key has another length.
    #[error("a sealing key is 32 bytes long")]
    Key,
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers")]
    Random,
    /// It was sealed by another key, or for something else, or it was changed.
    #[error("it cannot be opened: the sealing key is another one than it was sealed with")]
    Opened,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// Length of a key, in bytes.
    pub const KEY: usize = 32;

    /// Seals with this key.
    ///
    /// # Errors
    /// When it is not [`Seal::KEY`] bytes long.
    pub fn new(key: &[u8]) -> Result<Self, SealError> {
        UnboundKey::new(&AES_256_GCM, key)
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| SealError::Key)
    }

    /// A fresh key.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn fresh_key() -> Result<[u8; Self::KEY], SealError> {
        let mut key = [0; Self::KEY];
        random(&mut key)?;
        Ok(key)
    }

    /// Seals a secret about `about`; for anything else it does not open.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(&self, about: &str, secret: &Secret) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        let mut text = secret.expose().as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(about.as_bytes()),
                &mut text,
            )
            .map_err(|_| SealError::Key)?;
        Ok([nonce.as_slice(), &text].concat())
    }

    /// Opens what was sealed about `about`.
    ///
    /// # Errors
    /// When it was not sealed so.
    pub fn open(&self, about: &str, sealed: &[u8]) -> Result<Secret, SealError> {
        let (nonce, text) = sealed.split_first_chunk().ok_or(SealError::Opened)?;
        let mut text = text.to_vec();
        let opened = self
            .0
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(about.as_bytes()),
                &mut text,
            )
            .map_err(|_| SealError::Opened)?;
        let text = String::from_utf8(opened.to_vec()).map_err(|_| SealError::Opened)?;
        Ok(Secret::new(text))
    }
}

/// Characters of passwords, by class, without those that people take for one another.
const CLASSES: [&[u8]; 4] = [
    b"ABCDEFGHJKLMNPQRSTUVWXYZ",
    b"abcdefghijkmnopqrstuvwxyz",
    b"23456789",
    b"!#%+-=?@_",
];
/// Length of a password: more than 140 bits.
const LENGTH: usize = 24;

/// A strong temporary password: 24 characters with upper and lower case, digits and symbols, as every
/// directory's default rules take it.
///
/// # Errors
/// When there is no randomness.
pub(crate) fn password() -> Result<Secret, SealError> {
    let all = CLASSES.concat();
    loop {
        let mut text = String::with_capacity(LENGTH);
        while text.len() < LENGTH {
            let mut byte = [0];
            random(&mut byte)?;
            // Beyond the last whole multiple the first characters would come more often.
            let whole = 256 - 256 % all.len();
            let drawn = usize::from(byte[0]);
            if let Some(character) = all.get(drawn % all.len()).filter(|_| drawn < whole) {
                text.push(char::from(*character));
            }
        }
        let has = |class: &&[u8]| text.bytes().any(|byte| class.contains(&byte));
        if CLASSES.iter().all(has) {
            return Ok(Secret::new(text));
        }
    }
}

/// What the link of a question holds: 128 bits nobody can guess, in hexadecimal.
pub(crate) fn token() -> Result<Secret, SealError> {
    let mut bytes = [0; 16];
    random(&mut bytes)?;
    let digits = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Secret::new(digits))
}

fn random(into: &mut [u8]) -> Result<(), SealError> {
    SystemRandom::new()
        .fill(into)
        .map_err(|_| SealError::Random)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal() -> Seal {
        Seal::new(&Seal::fresh_key().unwrap()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_for_its_purpose_and_unchanged_only() {
        let (ours, secret) = (seal(), Secret::new("correct horse".to_owned()));
        let sealed = ours.seal("act_1", &secret).unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("horse"));
        assert_eq!(
            ours.open("act_1", &sealed).unwrap().expose(),
            "correct horse"
        );
        assert!(ours.open("act_2", &sealed).is_err());
        assert!(seal().open("act_1", &sealed).is_err());
        for at in [0, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(ours.open("act_1", &changed).is_err());
        }
        assert!(ours.open("act_1", &[]).is_err());
        assert!(Seal::new(b"short").is_err());
    }

    #[test]
    fn every_password_is_long_has_every_class_and_is_another() {
        let drawn: Vec<Secret> = (0..200).map(|_| password().unwrap()).collect();
        for one in &drawn {
            assert_eq!(one.expose().len(), LENGTH);
            for class in CLASSES {
                assert!(one.expose().bytes().any(|byte| class.contains(&byte)));
            }
        }
        let distinct: std::collections::BTreeSet<_> = drawn.iter().map(Secret::expose).collect();
        assert_eq!(distinct.len(), drawn.len());
    }
}
