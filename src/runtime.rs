//! The one place with the system's clock, randomness and key files.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use chrono::{DateTime, TimeDelta, Utc};
use hub_connectors::http::{Pause, Stamp};
use hub_entities::id::Ids;
use hub_entities::time::Clock;
use secrecy::SecretSlice;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        Utc::now()
    }
}

/// The system's clock, by so much behind: of a demo that shows a day that was as today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockBehind(pub TimeDelta);

impl ClockBehind {
    /// What it shows at this instant.
    pub fn of(self, real: DateTime<Utc>) -> DateTime<Utc> {
        real.checked_sub_signed(self.0).unwrap_or(real)
    }
}

impl Clock for ClockBehind {
    fn now(&self) -> DateTime<Utc> {
        self.of(SystemClock.now())
    }
}

/// The system gives no randomness: nothing can be signed, sealed or named safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no randomness")]
pub struct NoRandomness;

/// Random bytes, fit for keys.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    #[expect(clippy::disallowed_methods, reason = "the one place that draws randomness")]
    getrandom::fill(&mut bytes).map_err(|_unavailable| NoRandomness)?;
    Ok(bytes)
}

/// A new signing key for ES256, as PKCS#8.
pub fn new_signing_key() -> Result<Vec<u8>, NoRandomness> {
    #[expect(clippy::disallowed_methods, reason = "the one place that draws randomness")]
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    key.map(|key| key.as_ref().to_vec())
        .map_err(|_unspecified| NoRandomness)
}

/// Version 7 ids that rise within this process, also when the clock stands still or steps back; and version 4 ids, which
/// tell no time.
///
/// The random part is a hash of a seed drawn once, so that giving an id cannot fail.
#[derive(Debug)]
pub struct SystemIds {
    seed: [u8; 32],
    last: Mutex<Last>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Last {
    millis: u64,
    /// Of 12 bits: the part of a v7 id behind the time.
    count: u16,
    drawn: u64,
}

impl SystemIds {
    /// Draws the seed.
    pub fn new() -> Result<Self, NoRandomness> {
        Ok(Self {
            seed: random()?,
            last: Mutex::default(),
        })
    }

    /// Random bytes for the id drawn so many ids after the first.
    fn digest(&self, drawn: u64) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(drawn.to_be_bytes());
        hash.finalize().into()
    }

    fn step(&self, now: DateTime<Utc>) -> Last {
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.drawn = last.drawn.wrapping_add(1);
        if millis > last.millis {
            (last.millis, last.count) = (millis, 0);
        } else if last.count < 0x0FFF {
            last.count = last.count.saturating_add(1);
        } else {
            (last.millis, last.count) = (last.millis.saturating_add(1), 0);
        }
        *last
    }
}

impl Ids for SystemIds {
    fn blind(&self) -> Uuid {
        let drawn = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.drawn = last.drawn.wrapping_add(1);
            last.drawn
        };
        let mut random = [0; 16];
        for (to, from) in random.iter_mut().zip(self.digest(drawn)) {
            *to = from;
        }
        uuid::Builder::from_random_bytes(random).into_uuid()
    }

    fn next(&self, now: DateTime<Utc>) -> Uuid {
        let last = self.step(now);
        let digest = self.digest(last.drawn);
        let mut tail = [0; 10];
        for (to, from) in tail.iter_mut().zip(digest) {
            *to = from;
        }
        let [high, low] = last.count.to_be_bytes();
        let [first, second, ..] = &mut tail;
        (*first, *second) = (high, low);
        uuid::Builder::from_unix_timestamp_millis(last.millis, &tail).into_uuid()
    }
}

/// The waits of this process: real time, and chance by a hash of a seed drawn once.
#[derive(Debug)]
pub struct SystemPause {
    seed: [u8; 32],
    drawn: AtomicU64,
    begun: Instant,
}

impl SystemPause {
    /// Draws the seed.
    pub fn new() -> Result<Self, NoRandomness> {
        #[expect(clippy::disallowed_methods, reason = "the one place that measures waits")]
        let begun = Instant::now();
        Ok(Self {
            seed: random()?,
            drawn: AtomicU64::new(0),
            begun,
        })
    }

    fn draw(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        hash.finalize().into()
    }
}

#[async_trait]
impl Pause for SystemPause {
    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn up_to(&self, most: Duration) -> Duration {
        let [a, b, c, d, ..] = self.draw();
        let share = f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX);
        most.mul_f64(share)
    }

    fn since(&self) -> Duration {
        self.begun.elapsed()
    }

    fn stamp(&self) -> Stamp {
        let drawn = self.draw().into_iter().take(16);
        Stamp {
            seconds: SystemClock.now().timestamp(),
            nonce: drawn.fold(0, |number, byte| (number << 8) | u128::from(byte)),
        }
    }
}

/// Reads a key file, or makes it with `0400` from what `make` gives.
///
/// A file that others than its owner can read or write is refused. Two processes that start
/// together agree on one key, and a crash leaves a whole key or none.
///
/// # Errors
/// The file cannot be read or made, or its permissions are too wide.
pub fn key_file(path: &Path, make: impl FnOnce() -> Result<Vec<u8>, NoRandomness>) -> io::Result<SecretSlice<u8>> {
    if !path.try_exists()? {
        let key = make().map_err(io::Error::other)?;
        let suffix = random::<8>().map_err(io::Error::other)?;
        let draft = path.with_extension(format!("{:016x}", u64::from_be_bytes(suffix)));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(&draft)?;
        let written = file.write_all(&key).and_then(|()| file.sync_all());
        // A link, not a rename: it fails where another process was first, and then that key counts.
        let linked = written.and_then(|()| fs::hard_link(&draft, path));
        fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) | Ok(()) => {}
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::File::open(folder)?.sync_all()?;
        }
    }
    read_secret(path).map(SecretSlice::from)
}

/// Reads a file that only its owner may read.
pub fn read_secret(path: &Path) -> io::Result<Vec<u8>> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        let text = "the file can be read by others than its owner; allow 0400 or 0600 only";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    fs::read(path)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn ids_rise_whatever_the_clock_does() {
        let ids = SystemIds::new().expect("randomness");
        let at = |millis| DateTime::from_timestamp_millis(millis).expect("an instant");
        let mut last = ids.next(at(1_790_000_000_000));
        assert_eq!(last.get_version_num(), 7);
        for millis in (0..10_000)
            .map(|_| 1_790_000_000_000)
            .chain([1_789_999_999_000, 1_790_000_009_000])
        {
            let next = ids.next(at(millis));
            assert!(next > last, "{next} does not follow {last}");
            last = next;
        }
        let blind: std::collections::BTreeSet<Uuid> = (0..1_000).map(|_| ids.blind()).collect();
        assert_eq!(blind.len(), 1_000);
        assert!(blind.iter().all(|id| id.get_version_num() == 4));
        let other = SystemIds::new().expect("randomness");
        let instant = at(1_790_000_000_000);
        assert_ne!(other.next(instant), SystemIds::new().expect("randomness").next(instant));
    }

    #[test]
    fn chance_stays_within_its_bounds_and_is_spread() {
        let pause = SystemPause::new().expect("randomness");
        let most = Duration::from_secs(8);
        let drawn: Vec<Duration> = (0..1_000).map(|_| pause.up_to(most)).collect();
        assert!(drawn.iter().all(|one| *one <= most));
        // Of a thousand, each eighth part gets some: that it got none has a chance of one in 10^57.
        for part in 0..8 {
            let within = |one: &&Duration| one.as_secs() == part;
            assert!(drawn.iter().filter(within).count() > 50, "part {part}");
        }
    }

    #[test]
    fn a_key_file_is_made_once_and_for_the_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("issuer.key");
        let first = key_file(&path, || Ok(vec![1, 2, 3])).expect("a key");
        let again = key_file(&path, || Ok(vec![9])).expect("a key");
        assert_eq!(first.expose_secret(), [1, 2, 3]);
        assert_eq!(again.expose_secret(), [1, 2, 3]);
        assert_eq!(
            fs::metadata(&path).expect("metadata").permissions().mode() & 0o777,
            0o400
        );
        assert_eq!(
            fs::read_dir(folder.path()).expect("a folder").count(),
            1,
            "no draft is left"
        );

        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).expect("permissions");
        let refused = key_file(&path, || Ok(vec![9])).expect_err("too wide");
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }
}
