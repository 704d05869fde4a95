//! The shred list: which data keys were destroyed. It lies beside the keys, outside every backup of
//! the database, so that a backup of before an erasure does not bring back what was erased (R29).
//!
//! One line per key, only ever appended: the id of the key, 32 hex digits. It names no pupil.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::data_key::KeyId;

/// The list.
#[derive(Debug)]
pub struct ShredList {
    path: PathBuf,
    keys: BTreeSet<KeyId>,
}

impl ShredList {
    /// Reads the list in this folder; none is an empty one.
    ///
    /// # Errors
    /// The file cannot be read, or holds what is no id: then nothing may be served.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("shredded");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let mut keys = BTreeSet::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            match Uuid::try_parse(line) {
                Ok(id) => keys.insert(KeyId(id)),
                // Cut off by a crash, before it was acknowledged.
                Err(_) if line.len() < 32 && line.bytes().all(|byte| byte.is_ascii_hexdigit()) => false,
                Err(_) => {
                    let text = format!("line {} of the shred list is no key", number.saturating_add(1));
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
            };
        }
        Ok(Self { path, keys })
    }

    /// Whether this key was destroyed.
    pub fn has(&self, key: KeyId) -> bool {
        self.keys.contains(&key)
    }

    /// The keys that were destroyed.
    pub fn keys(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().copied()
    }

    /// Puts a key on the list, durably, before the database forgets it.
    pub fn add(&mut self, key: KeyId) -> io::Result<()> {
        if self.keys.contains(&key) {
            return Ok(());
        }
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.path)?;
        // A line of its own, also behind one that a crash cut off.
        file.write_all(format!("\n{}\n", key.0.simple()).as_bytes())?;
        file.sync_all()?;
        if let Some(folder) = self.path.parent() {
            fs::File::open(folder)?.sync_all()?;
        }
        self.keys.insert(key);
        Ok(())
    }
}
