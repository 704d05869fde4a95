//! What the demo keeps under secrecy: a store apart, with its keys and the second place of its log; and that its dossiers are
//! made once.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::{Failure, refused};
use crate::cli::serve::guarded_by;
use crate::custody::log::Sealer;
use crate::keys::file_vault::FileVault;
use crate::keys::heads::Heads;
use crate::store::{Db, Options, SecretDb, Secrets};

/// Whether the dossiers are there: `begun`, then `made`.
const FILE: &str = "dossiers";

/// The secrecy store of the demo in this folder, made if it is not there. On one machine nothing keeps its keys and the second
/// place of its log apart from it: nobody is in it.
pub(super) async fn open(folder: &Path, db: &Db, now: DateTime<Utc>) -> Result<(Secrets, Sealer), Failure> {
    let (keys, heads) = (folder.join("keys"), folder.join("heads"));
    FileVault::make_first(&keys)?;
    Heads::make(&keys, &heads)?;
    let few = Options {
        connections: 4,
        ..SecretDb::options(format!("sqlite://{}", folder.join("secrecy.sqlite").display()))
    };
    let apart = SecretDb::open(&few).await?;
    apart.migrate().await?;
    guarded_by(db, apart, (&keys, &heads), now).await
}

/// Whether the dossiers of the demo in this folder are to be made now.
///
/// # Errors
/// They were begun and not finished: begun again, some would be there twice.
pub(super) fn are_to_be_made(folder: &Path) -> Result<bool, Failure> {
    let path = folder.join(FILE);
    if !path.exists() {
        std::fs::write(path, "begun\n")?;
        return Ok(true);
    }
    if std::fs::read_to_string(path)?.trim() == "made" {
        Ok(false)
    } else {
        Err(refused("it was cut off while it made its dossiers; remove its folder"))
    }
}

/// They are made.
pub(super) fn are_made(folder: &Path) -> Result<(), Failure> {
    Ok(std::fs::write(folder.join(FILE), "made\n")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_made_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        assert!(are_to_be_made(folder.path()).unwrap());
        let cut_off = are_to_be_made(folder.path()).unwrap_err().to_string();
        assert!(cut_off.contains("remove its folder"), "{cut_off}");
        are_made(folder.path()).unwrap();
        assert!(!are_to_be_made(folder.path()).unwrap());
    }
}
