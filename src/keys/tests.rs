//! Known answers come from the draft standard, from Wycheproof, and from libsodium, which made the two envelopes
//! here; nothing is expected because the code says so.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{Key, KeyInit as _, XChaCha20Poly1305, XNonce};
use hub_entities::id::{ClbId, PupilId};
use proptest::prelude::*;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::file_vault::FileVault;
use super::heads::{Head, HeadError, Heads};
use super::seal::sealed_with;
use super::shredded::ShredList;
use super::vault::Owner;
use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.as_bytes().chunks(2).map(digit).collect()
}

const fn id(byte: u8) -> Uuid {
    Uuid::from_bytes([byte; 16])
}

fn key_of(byte: u8) -> DataKey {
    DataKey::of_bytes(KeyId(id(byte)), Zeroizing::new([byte; 32]))
}

const NONCE: [u8; 24] = [7; 24];

const PLACE: Place = Place {
    clb: ClbId(id(0xc1)),
    dossier: PupilId(id(0xd0)),
    table: "entry",
    column: "text",
    row: id(0xe1),
};

const OWNER: Owner = Owner {
    clb: ClbId(id(0xc1)),
    dossier: PupilId(id(0xd0)),
    key: KeyId(id(0x4b)),
};

/// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
#[test]
fn the_cipher_is_the_standards() {
    let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
    let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
    let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                 sunscreen would be it.";
    let aad = bytes("50515253c0c1c2c3c4c5c6c7");
    let payload = Payload { msg: text, aad: &aad };
    let sealed = XChaCha20Poly1305::new(&Key::from(key)).encrypt(&XNonce::from(nonce), payload);
    let expected = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39\
                    ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
                    21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";
    assert_eq!(sealed.unwrap(), bytes(expected));
}

/// Every vector of Project Wycheproof for this cipher: the valid ones open, the others do not.
#[test]
fn wycheproof_finds_nothing() {
    use wycheproof::aead::{TestName, TestSet};
    let set = TestSet::load(TestName::XChaCha20Poly1305).unwrap();
    let mut seen = 0;
    for group in set.test_groups {
        for test in group.tests {
            seen += 1;
            let nonce = <[u8; 24]>::try_from(&test.nonce[..]);
            let Ok(nonce) = nonce else {
                assert!(test.result.must_fail(), "{}: a nonce of another size", test.tc_id);
                continue;
            };
            let key: [u8; 32] = test.key[..].try_into().unwrap();
            let cipher = XChaCha20Poly1305::new(&Key::from(key));
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let payload = Payload {
                msg: &sealed,
                aad: &test.aad,
            };
            let opened = cipher.decrypt(&XNonce::from(nonce), payload);
            assert_eq!(opened.is_err(), test.result.must_fail(), "{}", test.tc_id);
            if let Ok(opened) = opened {
                assert_eq!(opened, &test.pt[..], "{}", test.tc_id);
            }
        }
    }
    assert!(seen > 200, "{seen} vectors");
}

/// Made by libsodium from the description in `seal.rs`: a stored value is read by every later version.
#[test]
fn the_envelope_of_version_one_stays_readable() {
    let key = DataKey::of_bytes(
        KeyId(id(0x4b)),
        Zeroizing::new(std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap())),
    );
    let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
    let expected = bytes(
        "43485301014b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b404142434445464748494a4b4c4d4e4f5051525354555657f10c73ec1c95872a89\
         771cf39bcbe975562252026021ee80a3d4922242550dc8003c107d2b6d9f7d31d3e1496e935e5ac111aa14ac3ba470aee497577d6694\
         3d0b8ea18cb71efb01ad85ee27554c99e0",
    );
    let text = "Gesprek met de leerling.";
    assert_eq!(seal(&key, &PLACE, text.as_bytes(), nonce).unwrap(), expected);
    assert_eq!(open(&key, &PLACE, &expected).unwrap().as_slice(), text.as_bytes());
}

#[tokio::test]
async fn the_wrapping_of_version_one_stays_readable() {
    let key = DataKey::of_bytes(
        KeyId(id(0x4b)),
        Zeroizing::new(std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap())),
    );
    let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
    let vault = FileVault::of_key(7, [0x11; 32]);
    let expected = bytes(
        "43484b0101404142434445464748494a4b4c4d4e4f5051525354555657e766cd99634828ab4ba1d7b073456e990d0ed4dbf5cc62b732\
         64358a216cd04620297285f90b272c40cfb4ea8241b81e",
    );
    let wrapped = vault.wrap_under(nonce, &key, &OWNER).unwrap();
    assert!(wrapped.bytes == expected && wrapped.version == 7);
    let unwrapped = vault.unwrap(&wrapped, &OWNER).await.unwrap();
    assert_eq!(unwrapped.bytes(), key.bytes());
}

/// R17: moved to another controller, dossier, table, column or row, or under another key, it does not open.
#[test]
fn a_value_opens_in_its_own_place_only() {
    let key = key_of(1);
    let sealed = seal(&key, &PLACE, b"canary", NONCE).unwrap();
    assert_eq!(open(&key, &PLACE, &sealed).unwrap().as_slice(), b"canary");
    let elsewhere = [
        Place {
            clb: ClbId(id(0xc2)),
            ..PLACE
        },
        Place {
            dossier: PupilId(id(0xd1)),
            ..PLACE
        },
        Place {
            table: "referral",
            ..PLACE
        },
        Place {
            column: "title",
            ..PLACE
        },
        Place { row: id(0xe2), ..PLACE },
        // The border between two names is told too.
        Place {
            table: "entryt",
            column: "ext",
            ..PLACE
        },
    ];
    for place in elsewhere {
        assert_eq!(open(&key, &place, &sealed), Err(SealError::Tampered), "{place:?}");
    }
    assert_eq!(open(&key_of(2), &PLACE, &sealed), Err(SealError::OtherKey));
    // Another key that claims the same id.
    let impostor = DataKey::of_bytes(key.id(), Zeroizing::new([9; 32]));
    assert_eq!(open(&impostor, &PLACE, &sealed), Err(SealError::Tampered));
    // The key id of the head is bound, not only compared.
    let mut relabelled = sealed.clone();
    relabelled[5..21].copy_from_slice(id(2).as_bytes());
    let other = DataKey::of_bytes(KeyId(id(2)), Zeroizing::new([1; 32]));
    assert_eq!(open(&other, &PLACE, &relabelled), Err(SealError::Tampered));
    // Another version or cipher is not this one.
    for at in 0..5 {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(open(&key, &PLACE, &changed), Err(SealError::Malformed), "byte {at}");
    }
}

#[test]
fn every_truncation_is_an_error_and_every_bit_counts() {
    let key = key_of(1);
    let sealed = seal(&key, &PLACE, b"canary", NONCE).unwrap();
    for length in 0..sealed.len() {
        assert!(open(&key, &PLACE, &sealed[..length]).is_err(), "{length} bytes");
    }
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&key, &PLACE, &flipped).is_err(), "bit {bit}");
    }
}

/// The length tells the next step of 64 bytes, and no more.
#[test]
fn a_short_note_is_as_long_as_none() {
    let length = |value: usize| seal(&key_of(1), &PLACE, &vec![b'x'; value], NONCE).unwrap().len();
    assert_eq!(length(0), length(60));
    assert_eq!(length(61), length(124));
    assert_eq!(length(61), length(60) + 64);
}

/// R27: drawn at random, no two nonces and no two envelopes of one value are the same.
fn all_differ(count: usize) {
    let key = key_of(1);
    let mut seen = std::collections::HashSet::with_capacity(count);
    for _ in 0..count {
        let sealed = seal(&key, &PLACE, b"the same value", crate::runtime::random().unwrap()).unwrap();
        let (nonce, rest) = (sealed[21..45].to_vec(), sealed[45..].to_vec());
        assert!(seen.insert(nonce) && seen.insert(rest));
    }
}

#[test]
fn one_value_is_sealed_differently_each_time() {
    all_differ(5_000);
}

#[test]
#[ignore = "a million encryptions: ./tests/run --long"]
fn one_value_is_sealed_differently_a_million_times() {
    all_differ(1_000_000);
}

proptest! {
    #[test]
    fn what_was_sealed_is_opened(value in prop::collection::vec(any::<u8>(), 0..400), nonce in any::<[u8; 24]>()) {
        let sealed = seal(&key_of(1), &PLACE, &value, nonce).unwrap();
        prop_assert_eq!(sealed_with(&sealed), Ok(KeyId(id(1))));
        let opened = open(&key_of(1), &PLACE, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), &value[..]);
    }

    #[test]
    fn no_bytes_make_it_panic(envelope in prop::collection::vec(any::<u8>(), 0..200), whole in any::<bool>()) {
        let head = [b"CHS\x01\x01".as_slice(), &[1; 16]].concat();
        let envelope = if whole { [head, envelope].concat() } else { envelope };
        prop_assert!(open(&key_of(1), &PLACE, &envelope).is_err());
    }
}

#[tokio::test]
async fn a_data_key_unwraps_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    FileVault::make_first(folder.path()).unwrap();
    let vault = FileVault::open(folder.path()).unwrap();
    let key = DataKey::generate(OWNER.key).unwrap();
    let wrapped = vault.wrap(&key, &OWNER).await.unwrap();
    assert_eq!(vault.unwrap(&wrapped, &OWNER).await.unwrap().bytes(), key.bytes());
    let others = [
        Owner {
            clb: ClbId(id(0xc2)),
            ..OWNER
        },
        Owner {
            dossier: PupilId(id(0xd1)),
            ..OWNER
        },
        Owner {
            key: KeyId(id(0x4c)),
            ..OWNER
        },
    ];
    for other in others {
        assert!(
            matches!(vault.unwrap(&wrapped, &other).await, Err(VaultError::Tampered)),
            "{other:?}"
        );
    }
    for length in 0..wrapped.bytes.len() {
        let cut = Wrapped {
            version: 1,
            bytes: wrapped.bytes[..length].to_vec(),
        };
        assert!(
            matches!(vault.unwrap(&cut, &OWNER).await, Err(VaultError::Tampered)),
            "{length} bytes"
        );
    }
}

/// A new version wraps; the old one unwraps until nothing depends on it, and rewrapping touches no field.
#[tokio::test]
async fn a_new_version_takes_over() {
    let folder = tempfile::tempdir().unwrap();
    FileVault::make_first(folder.path()).unwrap();
    FileVault::make_first(folder.path()).unwrap();
    let first = FileVault::open(folder.path()).unwrap();
    assert_eq!(first.version().await.unwrap(), 1);
    let key = DataKey::generate(OWNER.key).unwrap();
    let sealed = seal(&key, &PLACE, b"canary", NONCE).unwrap();
    let old = first.wrap(&key, &OWNER).await.unwrap();

    assert_eq!(FileVault::make_next(folder.path()).unwrap(), 2);
    let second = FileVault::open(folder.path()).unwrap();
    assert_eq!(second.version().await.unwrap(), 2);
    let new = second.rewrap(&old, &OWNER).await.unwrap();
    // Who has the folder open unwraps what others wrapped with the new one, and wraps with it from now on.
    assert_eq!(first.unwrap(&new, &OWNER).await.unwrap().bytes(), key.bytes());
    let meanwhile = first.wrap(&key, &OWNER).await.unwrap();
    assert_eq!(meanwhile.version, 2);
    assert_eq!((old.version, new.version), (1, 2));
    std::fs::remove_file(folder.path().join("kek-1")).unwrap();
    let alone = FileVault::open(folder.path()).unwrap();
    let unwrapped = alone.unwrap(&new, &OWNER).await.unwrap();
    assert_eq!(open(&unwrapped, &PLACE, &sealed).unwrap().as_slice(), b"canary");
    assert!(matches!(
        alone.unwrap(&old, &OWNER).await,
        Err(VaultError::NoSuchVersion(1))
    ));
    // The version is bound: an old wrapping cannot be passed off as a new one.
    let relabelled = Wrapped { version: 2, ..old };
    assert!(matches!(
        alone.unwrap(&relabelled, &OWNER).await,
        Err(VaultError::Tampered)
    ));
}

#[test]
fn a_folder_that_others_read_or_without_a_key_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    // Versions are counted from one.
    std::fs::write(folder.path().join("kek-0"), [0x11; 32]).unwrap();
    assert!(matches!(
        FileVault::open(folder.path()),
        Err(VaultError::NoSuchVersion(_))
    ));
    FileVault::make_first(folder.path()).unwrap();
    let file = folder.path().join("kek-1");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o440)).unwrap();
    assert!(matches!(FileVault::open(folder.path()), Err(VaultError::File(_))));
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, b"too short").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert!(matches!(FileVault::open(folder.path()), Err(VaultError::NoKey)));
}

#[test]
fn the_shred_list_only_grows() {
    let folder = tempfile::tempdir().unwrap();
    let mut list = ShredList::open(folder.path()).unwrap();
    assert_eq!(list.keys().count(), 0);
    list.add(KeyId(id(1))).unwrap();
    list.add(KeyId(id(2))).unwrap();
    list.add(KeyId(id(1))).unwrap();
    let again = ShredList::open(folder.path()).unwrap();
    assert_eq!(again.keys().collect::<Vec<_>>(), [KeyId(id(1)), KeyId(id(2))]);
    assert!(again.has(KeyId(id(2))) && !again.has(KeyId(id(3))));

    // A crash in the middle of a line loses that line alone, also when it is gone on with.
    let path = folder.path().join("shredded");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n0303030303")).unwrap();
    let mut cut = ShredList::open(folder.path()).unwrap();
    assert_eq!(cut.keys().count(), 2);
    cut.add(KeyId(id(4))).unwrap();
    assert_eq!(ShredList::open(folder.path()).unwrap().keys().count(), 3);

    // What is no key is no reason to serve on, and what cannot be read is no empty list.
    std::fs::write(&path, "not a key").unwrap();
    assert!(ShredList::open(folder.path()).is_err());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(ShredList::open(folder.path()).is_err());
}

#[tokio::test]
async fn a_vault_knows_what_was_destroyed() {
    let folder = tempfile::tempdir().unwrap();
    FileVault::make_first(folder.path()).unwrap();
    let vault = FileVault::open(folder.path()).unwrap();
    assert!(!vault.destroyed(KeyId(id(1))).await.unwrap());
    let mut list = ShredList::open(folder.path()).unwrap();
    list.add(KeyId(id(1))).unwrap();
    // While it is open, too.
    assert!(vault.destroyed(KeyId(id(1))).await.unwrap());
    assert!(!vault.destroyed(KeyId(id(2))).await.unwrap());
}

#[test]
fn what_is_sealed_afresh_opens_and_is_never_alike() {
    let key = key_of(0x22);
    let sealed = [(); 2].map(|()| seal_afresh(&key, &PLACE, b"canary").unwrap());
    assert_ne!(sealed[0], sealed[1]);
    for one in sealed {
        assert_eq!(open(&key, &PLACE, &one).unwrap().as_slice(), b"canary");
    }
}

/// R21: the second place of the access log.
#[test]
fn a_head_is_of_one_log_and_never_goes_back() {
    let head = |clb: u8, seq: i64, hash: u8| Head {
        clb: ClbId(id(clb)),
        seq,
        hash: [hash; 32],
    };
    let (keys, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = folder.path().join("heads");
    assert!(Heads::open(keys.path(), &place).is_err(), "nothing is made by opening");
    Heads::make(keys.path(), &place).unwrap();
    let heads = Heads::open(keys.path(), &place).unwrap();
    assert!(format!("{heads:?}").starts_with("Heads { folder: "), "and not the key");
    assert_eq!(heads.last(ClbId(id(1))).unwrap(), None);
    heads.put(&[head(1, 5, 0xaa)]).unwrap();
    heads.put(&[head(2, 9, 0xbb)]).unwrap();
    heads.put(&[head(1, 5, 0xaa)]).unwrap();
    let behind = |signed, refused: Result<(), HeadError>| {
        assert!(
            matches!(refused, Err(HeadError::Behind { signed: was, .. }) if was == signed),
            "{refused:?}"
        );
    };
    behind(5, heads.put(&[head(1, 4, 0xaa)]));
    behind(5, heads.put(&[head(1, 5, 0xab)]));
    // One log that was cut keeps no other from being signed.
    behind(5, heads.put(&[head(1, 3, 0xaa), head(3, 1, 0xdd)]));
    assert_eq!(heads.last(ClbId(id(3))).unwrap(), Some(head(3, 1, 0xdd)));
    heads.put(&[head(1, 6, 0xac)]).unwrap();
    // Made again, nothing is lost.
    Heads::make(keys.path(), &place).unwrap();
    let again = Heads::open(keys.path(), &place).unwrap();
    assert_eq!(again.last(ClbId(id(1))).unwrap(), Some(head(1, 6, 0xac)));
    assert_eq!(again.last(ClbId(id(2))).unwrap(), Some(head(2, 9, 0xbb)));

    let file = |clb: u8| place.join(format!("{}.head", id(clb).simple()));
    let forged = || matches!(again.last(ClbId(id(1))), Err(HeadError::Forged { .. }));
    // Another log's, an altered one, one of another key.
    std::fs::copy(file(2), file(1)).unwrap();
    assert!(forged());
    let text = std::fs::read_to_string(file(2)).unwrap();
    std::fs::write(file(1), text.replace(" 9 ", " 8 ")).unwrap();
    assert!(forged());
    let strange = tempfile::tempdir().unwrap();
    Heads::make(strange.path(), &place).unwrap();
    std::fs::remove_file(file(1)).unwrap();
    let other = Heads::open(strange.path(), &place).unwrap();
    other.put(&[head(1, 7, 0xad)]).unwrap();
    assert!(forged());
    // What cannot be read is not nothing.
    std::fs::remove_file(file(1)).unwrap();
    std::fs::create_dir(file(1)).unwrap();
    assert!(matches!(again.last(ClbId(id(1))), Err(HeadError::File(_))));
}

/// R68: nothing prints key material. That a data key has no `Debug` at all is seen by the compiler.
#[test]
fn a_vault_prints_no_key() {
    let vault = FileVault::of_key(1, [0x11; 32]);
    assert_eq!(format!("{vault:?}"), "FileVault { newest: Some(1), .. }");
    let error = VaultError::NoSuchVersion(3).to_string();
    assert_eq!(error, "version 3 of the key-encryption key is not there");
}
