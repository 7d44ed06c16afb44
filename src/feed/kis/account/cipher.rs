//! Decryption: AES-256-CBC with PKCS#7 padding over base64, key and vector as the ASCII of the answer.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Why a notice can't be read. Holds nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadNotice {
    /// The frame is not `enc|tr_id|count|payload`.
    #[error("it is no frame")]
    Frame,
    /// No answer of this session brought a key for its transaction.
    #[error("its key has not come")]
    NoKey,
    /// The payload is no base64.
    #[error("it is no base64")]
    Base64,
    /// The key does not fit: the padding is wrong.
    #[error("its key does not fit")]
    Padding,
    /// The fields are no multiple of the count, or fewer than any layout has.
    #[error("its fields are too few, or no multiple of its count")]
    Width,
}

/// Key and vector of a session's transaction. Shows stars.
#[derive(Clone, Debug)]
pub struct NoticeKey {
    key: Secret,
    iv: Secret,
}

impl NoticeKey {
    /// From an answer: a key of 32 bytes, a vector of 16; `None` for other lengths.
    pub fn new(key: &Secret, iv: &Secret) -> Option<NoticeKey> {
        let fits = key.expose().len() == 32 && iv.expose().len() == 16;
        fits.then(|| NoticeKey { key: key.clone(), iv: iv.clone() })
    }

    /// The text of a payload.
    ///
    /// # Errors
    ///
    /// [`BadNotice::Base64`], [`BadNotice::Padding`].
    pub fn decrypt(&self, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, BadNotice> {
        let mut bytes = Zeroizing::new(STANDARD.decode(payload.trim_ascii()).map_err(|_| BadNotice::Base64)?);
        let cipher =
            cbc::Decryptor::<Aes256>::new_from_slices(self.key.expose().as_bytes(), self.iv.expose().as_bytes())
                .map_err(|_| BadNotice::NoKey)?;
        let length = cipher.decrypt_padded::<Pkcs7>(&mut bytes).map_err(|_| BadNotice::Padding)?.len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An invented notice, encrypted by another program: `openssl enc -aes-256-cbc -K .. -iv .. -base64 -A`.
    const PAYLOAD: &[u8] =
        b"uMCQqSrWROCKDxqln3YPmKdcBLEoMmkajObbDBueBmub5k3eUQYl9SubrNF6276Y+SA1S2b1vQ/fz45RkE5IDkXnOX3cSbekutGe8DXJDBI=";

    fn key(key: &str) -> NoticeKey {
        NoticeKey::new(&Secret::new(key), &Secret::new("0123456789abcdef")).unwrap()
    }

    #[test]
    fn what_another_program_encrypted_is_read() {
        let text = key("abcdefghijklmnopqrstuvwxyzabcdef").decrypt(PAYLOAD).unwrap();
        assert_eq!(*text, b"someone^0000000000^0000000001^^02^0^00^0^005930^0000000010^000070000^093000");
    }

    #[test]
    fn a_key_that_does_not_fit_and_bytes_that_are_no_base64_are_told_apart() {
        let wrong = key("bbcdefghijklmnopqrstuvwxyzabcdef");
        assert_eq!(wrong.decrypt(PAYLOAD).unwrap_err(), BadNotice::Padding);
        assert_eq!(wrong.decrypt(b"~~~").unwrap_err(), BadNotice::Base64);
        assert_eq!(wrong.decrypt(b"AAAA").unwrap_err(), BadNotice::Padding);
        assert!(NoticeKey::new(&Secret::new("short"), &Secret::new("0123456789abcdef")).is_none());
        assert!(!format!("{wrong:?}").contains("bbcdef"));
    }
}
