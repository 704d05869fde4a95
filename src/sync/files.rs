//! Files of a school on their way in: hashed, then read as often as it takes.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use hub_connectors::absences::{AbsenceFormat, AbsenceReader, AbsenceRow, PupilKey};
use hub_connectors::connection::Connection;
use hub_connectors::oneroster::{self, Settings};
use hub_connectors::report::Report;
use hub_connectors::roster::Roster;
use sha2::{Digest, Sha256};

use super::absences::Rows;
use super::{Source, Sync, SyncError};
use crate::store::DbError;
use hub_entities::source::{KeyKind, connection, run};

/// How the files of a connection are to be read, as it was registered.
///
/// # Errors
/// The stored settings are not ones this version knows.
pub fn settings_of(connection: &connection::Model) -> Result<Connection, SyncError> {
    let unknown = DbError::Unreadable {
        column: "source.settings",
    };
    serde_json::from_value(connection.settings.clone()).map_err(|_unreadable| unknown.into())
}

/// The number that the hub keeps for what a source names a pupil by.
pub(super) fn key_kind(key: &PupilKey) -> Result<KeyKind, SyncError> {
    Ok(match key {
        PupilKey::SourcedId => KeyKind::SourceKey,
        PupilKey::Identifier => KeyKind::Identifier,
        PupilKey::Stamnummer => KeyKind::Stamnummer,
        PupilKey::UserId(of_type) if of_type.eq_ignore_ascii_case("stamnummer") => KeyKind::Stamnummer,
        PupilKey::UserId(of_type) => return Err(SyncError::NoSuchKey(of_type.clone())),
    })
}

/// A file of half-day absences.
#[derive(Debug)]
pub struct AbsenceFile {
    path: PathBuf,
    format: AbsenceFormat,
    key: KeyKind,
}

impl AbsenceFile {
    /// A file in this format. Nothing is read yet.
    pub fn new(path: impl Into<PathBuf>, format: AbsenceFormat) -> Result<Self, SyncError> {
        Ok(Self {
            path: path.into(),
            key: key_kind(format.key())?,
            format,
        })
    }
}

impl Rows for AbsenceFile {
    fn content_hash(&mut self) -> Result<Vec<u8>, SyncError> {
        Ok(hash_of(&self.path)?)
    }

    fn read(&mut self, each: &mut dyn FnMut(AbsenceRow<'_>) -> Result<(), SyncError>) -> Result<Report, SyncError> {
        // The report calls the file by its own name, not by where it lies on this machine.
        let name = self
            .path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let file = BufReader::with_capacity(1 << 16, File::open(&self.path)?);
        let mut reader = AbsenceReader::new(file, name, &self.format);
        reader.read(each)
    }

    fn key_kind(&self) -> KeyKind {
        self.key
    }
}

/// SHA-256 of a file, or of the files of a folder by name.
pub(super) fn hash_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut hash = Sha256::new();
    if path.is_dir() {
        let mut names: Vec<PathBuf> = std::fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        names.sort_unstable();
        for name in names.iter().filter(|name| name.is_file()) {
            hash.update(
                name.file_name()
                    .map(|name| name.to_string_lossy().into_owned())
                    .unwrap_or_default(),
            );
            add(&mut hash, name)?;
        }
    } else {
        add(&mut hash, path)?;
    }
    Ok(hash.finalize().to_vec())
}

/// That a file, or a folder, is still what it was when it had this hash.
///
/// # Errors
/// It was replaced or changed since: what was read meanwhile is told by no hash.
pub(super) fn unchanged(path: &Path, hash: &[u8]) -> Result<(), SyncError> {
    if hash_of(path)? == hash {
        Ok(())
    } else {
        Err(SyncError::Replaced)
    }
}

fn add(hash: &mut Sha256, path: &Path) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}

impl Sync {
    /// Imports a OneRoster package of one school: a zip or a folder.
    pub async fn roster_package(
        &self,
        source: Source,
        institution_number: &str,
        path: &Path,
        settings: &Settings,
    ) -> Result<run::Model, SyncError> {
        let hash = hash_of(path)?;
        let roster = oneroster::read_path(path, settings);
        unchanged(path, &hash)?;
        let roster = match roster {
            Ok(roster) => roster,
            Err(report) => return Err(self.refuse_roster(source, hash, report).await),
        };
        let school_key = school_key_of(&roster, institution_number, settings)?;
        self.roster(source, &school_key, roster, hash).await
    }
}

/// The school of the connection, by its key in the roster: the one that the settings name, or the one with its
/// institution number.
pub(super) fn school_key_of(
    roster: &Roster,
    institution_number: &str,
    settings: &Settings,
) -> Result<String, SyncError> {
    let own = settings.school.as_deref();
    let name = own.unwrap_or(institution_number);
    let by_name = roster
        .schools
        .iter()
        .find(|school| school.identifier.as_deref() == Some(name) || own == Some(school.source_key.as_str()));
    // One school alone that has no number is the connection's own.
    let only = match roster.schools.as_slice() {
        [only] if only.identifier.is_none() && own.is_none() => Some(only),
        _ => None,
    };
    let none = || SyncError::NoSuchSchool(name.to_owned());
    match by_name.or(only) {
        Some(school) => Ok(school.source_key.clone()),
        None if roster.schools.is_empty() => spoken_of(roster, own).ok_or_else(none),
        None => Err(none()),
    }
}

/// A delta may leave the school out: it is the one that its rows speak of. Of several the one that the settings name, and
/// of none any.
fn spoken_of(roster: &Roster, own: Option<&str>) -> Option<String> {
    let of_pupils = roster
        .pupils
        .iter()
        .flat_map(|pupil| pupil.schools.iter().map(|place| place.school_key.as_str()));
    let of_places = roster.memberships.iter().map(|place| place.school_key.as_str());
    let keys: BTreeSet<&str> = of_pupils.chain(of_places).collect();
    let key = match own.filter(|own| keys.contains(own)) {
        Some(own) => own,
        None if keys.len() > 1 => return None,
        None => keys.first().copied().unwrap_or_default(),
    };
    Some(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_or_joined_by_another_is_not_what_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv");
        std::fs::write(&file, "one").unwrap();
        let hashes = [file.as_path(), folder.path()].map(|path| (path.to_owned(), hash_of(path).unwrap()));
        let stands = || hashes.each_ref().map(|(path, hash)| unchanged(path, hash).is_ok());
        assert_eq!(stands(), [true, true]);
        std::fs::write(folder.path().join("b.csv"), "").unwrap();
        assert_eq!(stands(), [true, false]);
        std::fs::remove_file(folder.path().join("b.csv")).unwrap();
        std::fs::rename(&file, folder.path().join("old")).unwrap();
        std::fs::write(&file, "two").unwrap();
        assert_eq!(stands(), [false, false]);
        assert!(matches!(unchanged(&file, &hashes[0].1), Err(SyncError::Replaced)));
    }
}
