//! Keeps the tokens of interactions unreadable in the database: who copies it can answer nobody.
//!
//! ChaCha20-Poly1305 with a random nonce for each text, the job's id as associated data, so that a sealed text is worth
//! nothing in another row. The key is made of the bot's token by HKDF-SHA256: whoever has that one needs no other, and
//! with a new token the old texts (good for a quarter of an hour) are as good as gone.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};

/// Separates our key from whatever else the token may be used for.
const SALT: &[u8] = b"boss-bot";

/// Names what the key is for; another version of the format gets another key.
const PURPOSE: &[u8] = b"interaction tokens 1";

/// Seals and opens. `Debug` shows nothing of the key.
pub struct Seal(LessSafeKey);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

/// A text that this key did not seal for this job, or that was changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was sealed for something else, by another token, or was changed since")]
pub struct Broken;

/// The machine has no randomness to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

impl Seal {
    /// The seal that belongs to a bot's token. `None` only if the library refuses its own key length, which it does not.
    pub fn of(token: &str) -> Option<Self> {
        let key = Salt::new(HKDF_SHA256, SALT).extract(token.as_bytes());
        let key = key.expand(&[PURPOSE], &CHACHA20_POLY1305).ok()?;
        Some(Self(LessSafeKey::new(UnboundKey::from(key))))
    }

    /// Seals a text for the job `id`.
    ///
    /// # Errors
    /// When there is no randomness: a nonce that came before would give the text away.
    pub fn seal(&self, id: &str, text: &str) -> Result<String, NoRandomness> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| NoRandomness)?;
        let mut sealed = text.as_bytes().to_vec();
        let aad = Aad::from(id.as_bytes());
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(|_| NoRandomness)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed for the job `id`.
    ///
    /// # Errors
    /// When it was not, or not by this key, or is not whole.
    pub fn open(&self, id: &str, sealed: &str) -> Result<String, Broken> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| Broken)?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Broken)?;
        let text = self.0.open_in_place(nonce, Aad::from(id.as_bytes()), text).map_err(|_| Broken)?;
        String::from_utf8(text.to_vec()).map_err(|_| Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "aW50ZXJhY3Rpb246MTIzNDU2Nzg5";

    fn seal() -> Seal {
        Seal::of("MTE.bot.token").unwrap()
    }

    #[test]
    fn what_was_sealed_comes_out_again_after_a_restart_with_the_same_token() {
        let sealed = seal().seal("job 1", TOKEN).unwrap();
        assert!(!sealed.contains(TOKEN) && !sealed.contains("aW50"), "{sealed}");
        assert_eq!(seal().open("job 1", &sealed).as_deref(), Ok(TOKEN));
    }

    #[test]
    fn the_same_text_never_looks_the_same() {
        assert_ne!(seal().seal("job 1", TOKEN), seal().seal("job 1", TOKEN));
    }

    #[test]
    fn another_token_and_another_job_open_nothing() {
        let sealed = seal().seal("job 1", TOKEN).unwrap();
        assert_eq!(Seal::of("MTE.bot.tokeo").unwrap().open("job 1", &sealed), Err(Broken));
        assert_eq!(seal().open("job 2", &sealed), Err(Broken));
    }

    #[test]
    fn a_cut_or_changed_text_is_refused() {
        let sealed = seal().seal("job 1", TOKEN).unwrap();
        for cut in 0..sealed.len() {
            assert_eq!(seal().open("job 1", &sealed[..cut]), Err(Broken), "{cut} characters");
        }
        for at in 0..sealed.len() - 1 {
            let other = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = format!("{}{other}{}", &sealed[..at], &sealed[at + 1..]);
            assert_eq!(seal().open("job 1", &changed), Err(Broken), "{at}");
        }
        assert_eq!(seal().open("job 1", "not base64!"), Err(Broken));
    }
}
