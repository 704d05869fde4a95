//! The heads of the access logs, signed, in a second place: a chain alone cannot tell that its tail was cut (R21).
//!
//! One file per CLB, replaced as a whole: `clb-hub head 1`, the CLB, the number and the hash of its last line, and an
//! Ed25519 signature over all of that. A head never goes back: whoever puts an older state of the database back does not
//! get its head here.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use hub_entities::id::ClbId;

use crate::runtime::{key_file, random, read_secret};

const FORM: &str = "clb-hub head 1";

/// Where the log of a CLB ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whose log.
    pub clb: ClbId,
    /// The number of its last line.
    pub seq: i64,
    /// The hash of its last line.
    pub hash: [u8; 32],
}

/// Why a head was not kept, or not believed.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// A file or the key.
    #[error("the heads of the access log: {0}")]
    File(#[from] io::Error),
    /// The key is not one of 32 bytes.
    #[error("head.key in the key folder does not hold 32 bytes")]
    NoKey,
    /// What stands in the file was not signed by this hub.
    #[error("the head of {clb} was not signed with this hub's key")]
    Forged {
        /// Whose head.
        clb: ClbId,
    },
    /// The log ends before the head that was signed, or otherwise.
    #[error("the access log of {clb} was cut: line {signed} was signed, and it ends with {there}")]
    Behind {
        /// Whose log.
        clb: ClbId,
        /// The last line that was signed.
        signed: i64,
        /// The last line that is there.
        there: i64,
    },
}

/// The second place, and the key that signs.
pub struct Heads {
    folder: PathBuf,
    key: Ed25519KeyPair,
}

impl std::fmt::Debug for Heads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heads")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Heads {
    /// Makes the key in the key folder and the second place, where they are not there yet.
    pub fn make(keys: &Path, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        key_file(&keys.join("head.key"), || Ok(random::<32>()?.to_vec()))?;
        Ok(())
    }

    /// Opens the second place with the key in the key folder.
    pub fn open(keys: &Path, folder: &Path) -> Result<Self, HeadError> {
        let seed = read_secret(&keys.join("head.key"))?;
        let key = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_rejected| HeadError::NoKey)?;
        fs::read_dir(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            key,
        })
    }

    fn path(&self, clb: ClbId) -> PathBuf {
        self.folder.join(format!("{}.head", clb.0.simple()))
    }

    /// The head that was signed last.
    pub fn last(&self, clb: ClbId) -> Result<Option<Head>, HeadError> {
        let text = match fs::read_to_string(self.path(clb)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        self.parse(clb, &text).map(Some).ok_or(HeadError::Forged { clb })
    }

    fn parse(&self, clb: ClbId, text: &str) -> Option<Head> {
        let (said, signature) = text.trim_end().rsplit_once(' ')?;
        let signature = BASE64_STANDARD_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&ED25519, self.key.public_key().as_ref());
        key.verify(said.as_bytes(), &signature).ok()?;
        let rest = said.strip_prefix(FORM)?.strip_prefix(' ')?;
        let (own, rest) = rest.split_once(' ')?;
        let (seq, hash) = rest.split_once(' ')?;
        let hash = BASE64_STANDARD_NO_PAD.decode(hash).ok()?.try_into().ok()?;
        let seq = seq.parse().ok()?;
        (own == clb.to_string()).then_some(Head { clb, seq, hash })
    }

    /// Signs these heads and keeps them, durably, each instead of the one before. None goes back; one that would keeps no
    /// other from being kept.
    ///
    /// # Errors
    /// The first that was not kept, and why.
    pub fn put(&self, heads: &[Head]) -> Result<(), HeadError> {
        // Of two replicas one after the other, so that the later head stays. Let go of when it is closed.
        let turn = fs::File::create(self.folder.join("turn"))?;
        turn.lock()?;
        let put: Vec<Result<(), HeadError>> = heads.iter().map(|head| self.replace(head)).collect();
        fs::File::open(&self.folder)?.sync_all()?;
        put.into_iter().collect()
    }

    fn replace(&self, head: &Head) -> Result<(), HeadError> {
        if let Some(last) = self.last(head.clb)? {
            if last == *head {
                return Ok(());
            }
            if last.seq >= head.seq {
                return Err(HeadError::Behind {
                    clb: head.clb,
                    signed: last.seq,
                    there: head.seq,
                });
            }
        }
        let hash = BASE64_STANDARD_NO_PAD.encode(head.hash);
        let said = format!("{FORM} {} {} {hash}", head.clb, head.seq);
        let signature = BASE64_STANDARD_NO_PAD.encode(self.key.sign(said.as_bytes()));
        let path = self.path(head.clb);
        let draft = path.with_extension("draft");
        let mut file = fs::File::create(&draft)?;
        file.write_all(format!("{said} {signature}\n").as_bytes())?;
        file.sync_all()?;
        Ok(fs::rename(&draft, &path)?)
    }
}
