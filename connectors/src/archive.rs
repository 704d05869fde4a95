//! A delivery as a set of named files: a ZIP or a folder, never unpacked.
//!
//! Whoever can send a file can send a bomb (R51). What the directory of the archive says is checked
//! before a byte is inflated, and what it said is held against what comes out while it is streamed.
//! Nothing is ever written, so no name in an archive can point outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::report::Report;

/// The most files in a delivery.
pub const MOST_ENTRIES: usize = 1_000;
/// The most bytes that all files of a delivery may hold together: 512 MiB.
pub const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// The most bytes out for each byte in.
pub const MOST_RATIO: u64 = 100;
/// The longest file name, in bytes.
const LONGEST_NAME: usize = 255;
/// The most bytes of a ZIP's own directory. A thousand names of the longest kind fit.
const MOST_DIRECTORY: u64 = 1024 * 1024;

trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

enum Store {
    Zip(Box<ZipArchive<Box<dyn Source>>>),
    Folder(PathBuf),
}

struct Entry {
    /// Where it is in the archive; its position in a folder.
    index: usize,
    /// The name in the store, with the top folder that was taken off.
    inside: String,
    /// The bytes that it should give.
    bytes: u64,
}

/// A delivery whose directory was found safe.
pub struct Package {
    store: Store,
    entries: BTreeMap<String, Entry>,
}

impl std::fmt::Debug for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Package")
            .field("files", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// The name under which a delivery as a whole stands in a report.
pub const WHOLE: &str = "(package)";

fn refused(rule: &'static str) -> Report {
    let mut report = Report::default();
    report.error(WHOLE, 0, 0, rule);
    report
}

impl Package {
    /// Opens a ZIP or a folder. Leniencies are added to the report as warnings.
    ///
    /// # Errors
    /// A report with one `package.*` rule when it cannot be opened or is not safe.
    pub fn open(path: &Path, report: &mut Report) -> Result<Self, Report> {
        let about = fs::symlink_metadata(path).map_err(|_missing| refused("package.unreadable"))?;
        if about.is_dir() {
            return Self::folder(path, report);
        }
        if !about.is_file() {
            return Err(refused("package.not_a_file"));
        }
        let file = File::open(path).map_err(|_denied| refused("package.unreadable"))?;
        Self::zip(BufReader::new(file), report)
    }

    /// Opens a ZIP that is already in hand.
    ///
    /// # Errors
    /// As [`Package::open`].
    pub fn zip(source: impl Read + Seek + Send + 'static, report: &mut Report) -> Result<Self, Report> {
        let mut source: Box<dyn Source> = Box::new(source);
        let (length, stated) = directory(&mut source)?;
        let mut zip = ZipArchive::new(source).map_err(|_malformed| refused("package.malformed"))?;
        // The library keeps one of two entries with the same name; the count gives it away.
        if zip.len() != stated {
            return Err(refused("package.duplicate_name"));
        }
        let mut names = Vec::new();
        let (mut packed, mut unpacked) = (0_u64, 0_u64);
        for index in 0..zip.len() {
            let entry = zip
                .by_index_raw(index)
                .map_err(|_malformed| refused("package.malformed"))?;
            if entry.encrypted() {
                return Err(refused("package.encrypted"));
            }
            if entry
                .unix_mode()
                .is_some_and(|mode| !matches!(mode & 0o170_000, 0 | 0o100_000 | 0o040_000))
            {
                return Err(refused("package.symlink"));
            }
            packed = packed.saturating_add(entry.compressed_size());
            unpacked = unpacked.saturating_add(entry.size());
            if entry.size() > entry.compressed_size().saturating_mul(MOST_RATIO) {
                return Err(refused("package.ratio"));
            }
            let name = std::str::from_utf8(entry.name_raw()).map_err(|_not_text| refused("package.name"))?;
            if !entry.is_dir() {
                names.push((name.to_owned(), index, entry.size()));
            }
        }
        if unpacked > MOST_BYTES {
            return Err(refused("package.too_large"));
        }
        // More packed bytes than there is file: entries overlap.
        if packed > length {
            return Err(refused("package.overlap"));
        }
        let entries = settle(names, report)?;
        Ok(Self {
            store: Store::Zip(Box::new(zip)),
            entries,
        })
    }

    fn folder(path: &Path, report: &mut Report) -> Result<Self, Report> {
        let mut names = Vec::new();
        let mut seen = 0_usize;
        let mut unpacked = 0_u64;
        list(path, "", &mut |name, about| {
            seen += 1;
            if seen > MOST_ENTRIES {
                return Err(refused("package.too_many_entries"));
            }
            if about.is_file() {
                unpacked = unpacked.saturating_add(about.len());
                if unpacked > MOST_BYTES {
                    return Err(refused("package.too_large"));
                }
                names.push((name, names.len(), about.len()));
            }
            Ok(())
        })?;
        let entries = settle(names, report)?;
        Ok(Self {
            store: Store::Folder(path.to_owned()),
            entries,
        })
    }

    /// The names of the files, top folder taken off, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether there is a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// A stream of the file, or nothing when there is none. The stream fails when the file gives
    /// more or fewer bytes than the archive said, or bytes that do not match its checksum.
    ///
    /// # Errors
    /// What the file system or the archive says; without content.
    pub fn read(&mut self, name: &str) -> io::Result<Option<Box<dyn Read + '_>>> {
        let Some(entry) = self.entries.get(name) else {
            return Ok(None);
        };
        let stream: Box<dyn Read + '_> = match &mut self.store {
            Store::Zip(zip) => Box::new(zip.by_index(entry.index).map_err(io::Error::other)?),
            Store::Folder(path) => {
                let path = path.join(&entry.inside);
                if fs::symlink_metadata(&path)?.is_symlink() {
                    return Err(io::Error::other("package.symlink"));
                }
                Box::new(File::open(path)?)
            }
        };
        Ok(Some(Box::new(Honest {
            stream,
            left: entry.bytes,
        })))
    }
}

/// Gives exactly as many bytes as were announced.
struct Honest<R> {
    stream: R,
    left: u64,
}

impl<R: Read> Read for Honest<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(into)?;
        let bytes = u64::try_from(read).map_err(io::Error::other)?;
        if bytes > self.left || (bytes == 0 && self.left > 0 && !into.is_empty()) {
            return Err(io::Error::other("package.lying_size"));
        }
        self.left -= bytes;
        Ok(read)
    }
}

/// Length of the ZIP and the number of entries that its last record states.
///
/// Read by hand because the library would first load the whole directory, and a million entries
/// are as cheap to send as they are dear to load.
fn directory(source: &mut Box<dyn Source>) -> Result<(u64, usize), Report> {
    const LAST_RECORD: u64 = 22;
    let malformed = |_: io::Error| refused("package.malformed");
    let length = source.seek(SeekFrom::End(0)).map_err(malformed)?;
    // The record, the longest comment behind it, and a ZIP64 pointer in front of it.
    let tail = length.min(LAST_RECORD + 65_535 + 20);
    source.seek(SeekFrom::Start(length - tail)).map_err(malformed)?;
    let mut bytes = Vec::new();
    source.by_ref().take(tail).read_to_end(&mut bytes).map_err(malformed)?;
    source.seek(SeekFrom::Start(0)).map_err(malformed)?;
    let at = memchr::memmem::rfind(&bytes, b"PK\x05\x06").ok_or_else(|| refused("package.not_a_zip"))?;
    // A pupil list has no use for ZIP64, and its second directory is one more place to lie in.
    if memchr::memmem::find(&bytes, b"PK\x06\x07").is_some() {
        return Err(refused("package.too_many_entries"));
    }
    // A comment may hold the mark of a second record; two readers would then see two archives.
    if memchr::memmem::find(&bytes, b"PK\x05\x06") != Some(at) {
        return Err(refused("package.malformed"));
    }
    let short = |offset: usize| -> Option<usize> {
        let from = at.checked_add(offset)?;
        let pair = bytes.get(from..from.checked_add(2)?)?;
        Some(usize::from(u16::from_le_bytes(pair.try_into().ok()?)))
    };
    let long = |offset: usize| -> Option<u64> {
        let from = at.checked_add(offset)?;
        let four = bytes.get(from..from.checked_add(4)?)?;
        Some(u64::from(u32::from_le_bytes(four.try_into().ok()?)))
    };
    let (entries, size) = short(10).zip(long(12)).ok_or_else(|| refused("package.malformed"))?;
    if entries > MOST_ENTRIES {
        return Err(refused("package.too_many_entries"));
    }
    if size > MOST_DIRECTORY {
        return Err(refused("package.malformed"));
    }
    // The library counts until the directory ends; so must the statement.
    Ok((length, entries))
}

/// Lists a folder and one folder below it.
fn list(
    root: &Path,
    below: &str,
    each: &mut dyn FnMut(String, &fs::Metadata) -> Result<(), Report>,
) -> Result<(), Report> {
    let unreadable = |_: io::Error| refused("package.unreadable");
    for entry in fs::read_dir(root).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_not_text| refused("package.name"))?;
        let about = entry.path().symlink_metadata().map_err(unreadable)?;
        if about.is_symlink() {
            return Err(refused("package.symlink"));
        }
        let inside = format!("{below}{name}");
        each(inside.clone(), &about)?;
        if about.is_dir() {
            if inside.contains('/') {
                return Err(refused("package.depth"));
            }
            list(&entry.path(), &format!("{inside}/"), each)?;
        }
    }
    Ok(())
}

/// Checks the names, takes off a single top folder, and forgets what a Mac adds.
fn settle(names: Vec<(String, usize, u64)>, report: &mut Report) -> Result<BTreeMap<String, Entry>, Report> {
    let mut kept = Vec::new();
    let mut ignored = false;
    for (name, index, bytes) in names {
        safe(&name)?;
        let last = name.rsplit('/').next().unwrap_or_default();
        if name.starts_with("__MACOSX/") || last == ".DS_Store" || last.starts_with("._") {
            ignored = true;
            continue;
        }
        if [".zip", ".gz", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz"]
            .iter()
            .any(|end| last.to_ascii_lowercase().ends_with(end))
        {
            return Err(refused("package.nested_archive"));
        }
        kept.push((name, index, bytes));
    }
    if ignored {
        report.warn(WHOLE, 0, 0, "package.system_files_ignored");
    }
    let tops: BTreeSet<Option<&str>> = kept
        .iter()
        .map(|(name, ..)| name.split_once('/').map(|(top, _)| top))
        .collect();
    let top = match (tops.len(), tops.first()) {
        (1, Some(Some(top))) => Some(format!("{top}/")),
        _ => None,
    };
    if top.is_some() {
        report.warn(WHOLE, 0, 0, "package.top_folder");
    }
    let mut entries = BTreeMap::new();
    let mut folded = BTreeSet::new();
    for (inside, index, bytes) in kept {
        let name = top
            .as_deref()
            .and_then(|top| inside.strip_prefix(top))
            .unwrap_or(&inside)
            .to_owned();
        if name.contains('/') {
            return Err(refused("package.depth"));
        }
        if !folded.insert(name.to_lowercase()) {
            return Err(refused("package.duplicate_name"));
        }
        entries.insert(name, Entry { index, inside, bytes });
    }
    Ok(entries)
}

fn safe(name: &str) -> Result<(), Report> {
    let odd = name.is_empty()
        || name.len() > LONGEST_NAME
        || name.starts_with('/')
        || name.contains(['\\', ':'])
        || name.chars().any(char::is_control)
        || name.split('/').any(|part| matches!(part, "" | "." | ".."));
    if odd { Err(refused("package.name")) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
