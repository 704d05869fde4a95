//! Every id of the hub: one list, append-only.
//!
//! Inside, an id is a type of its own, so a pupil's id cannot be passed where a school's is
//! expected. Outside, it is the prefix and 32 hex digits (`pup_0192…`), and the prefix is
//! checked on the way in. Ids are UUIDv7 (time order keeps the indexes compact), except signals,
//! which are UUIDv5 of their key so that two replicas compute the same one, and what is under
//! secrecy, which is UUIDv4: a UUIDv7 would tell when help began.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A string that is not an id of the kind expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form `{prefix}_` followed by 32 hex digits")]
pub struct IdError {
    /// The prefix that was expected.
    pub prefix: &'static str,
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let wrong = IdError { prefix };
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    match rest {
        // The simple form only: one id has one spelling, so a cursor or a log line can be compared.
        Some(hex) if hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => {
            Uuid::try_parse(hex).map_err(|_malformed| wrong)
        }
        _ => Err(wrong),
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
            pub struct $name(pub Uuid);

            impl $name {
                /// What this id starts with outside the hub.
                pub const PREFIX: &'static str = $prefix;
            }

            impl sea_orm::TryFromU64 for $name {
                fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                    Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, concat!($prefix, "_{}"), self.0.simple())
                }
            }

            impl FromStr for $name {
                type Err = IdError;

                fn from_str(text: &str) -> Result<Self, IdError> {
                    parse($prefix, text).map(Self)
                }
            }

            impl Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    to.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
                }
            }
        )*

        /// The prefixes in use, in the order of the list.
        pub const PREFIXES: &[&str] = &[$($prefix),*];
    };
}

ids! {
    /// A pupil guidance centre (CLB).
    ClbId = "clb";
    /// A school.
    SchoolId = "sch";
    /// An agreement between a school and a CLB (samenwerkingsafspraken).
    AgreementId = "agr";
    /// A canonical pupil: a link without content.
    PupilId = "pup";
    /// What one school says of a pupil.
    RecordId = "rec";
    /// The tying of two pupils into one by a person.
    MergeId = "mrg";
    /// An enrolment of a pupil at a school (inschrijving).
    EnrolmentId = "enr";
    /// A class of a school in one school year (klas).
    ClassId = "cls";
    /// A pupil's place in a class.
    MembershipId = "mem";
    /// The tie between a pupil and the CLB competent for them (bevoegd CLB).
    CompetenceId = "cmp";
    /// Someone or something that may sign in, in one acting role.
    PrincipalId = "prn";
    /// What a school lets a vendor's software do for it.
    ClientGrantId = "cgr";
    /// A number of half-days carried in from a former school.
    CarriedInId = "car";
    /// A signal (melding).
    SignalId = "sig";
    /// A connection to one school system.
    SourceId = "src";
    /// One pull, push or import.
    RunId = "run";
    /// Something a source said that could not be taken over.
    GapId = "gap";
    /// A row that could not be matched and waits for a person.
    QuarantineId = "qua";
    /// Two sources that contradict each other.
    ConflictId = "cfl";
    /// An event in the outbox.
    EventId = "evt";
    /// A line of the access log.
    AccessLineId = "acl";
    /// A trajectory of guidance (begeleidingstraject). UUIDv4, as everything under secrecy.
    TrajectoryId = "trj";
    /// An entry of a dossier. UUIDv4.
    EntryId = "ent";
    /// A worker's post at a school.
    PostId = "pst";
    /// A decision on a secret field that was withheld: what one asks for access with. UUIDv4.
    DecisionId = "dcn";
    /// A consent or a refusal. UUIDv4.
    ConsentId = "cst";
    /// What the secrecy store has yet to follow. UUIDv4.
    IntentId = "int";
    /// A request for access to what was withheld. UUIDv4.
    AccessRequestId = "acr";
    /// A referral to a partner outside (doorverwijzing). UUIDv4.
    ReferralId = "ref";
    /// A request for guidance (aanmelding). UUIDv4.
    GuidanceRequestId = "gdr";
    /// An opening in an emergency (noodtoegang).
    EmergencyId = "emg";
    /// What was released to a school (vrijgave). UUIDv4.
    ReleaseId = "rls";
    /// A person's request to read the dossier (verzoek tot inzage). UUIDv4.
    DossierRequestId = "dsr";
    /// What was opened of a dossier to a person (inzage). UUIDv4.
    DossierAccessId = "dsa";
    /// What a person asks of an entry (verzoek tot verbetering). UUIDv4.
    CorrectionId = "cor";
    /// That the access log is held back from parents (veiligheidsstop). UUIDv4.
    LogHoldId = "lhd";
    /// A transfer of a dossier to another CLB (overdracht). UUIDv4.
    TransferId = "trf";
    /// A legal hold on a dossier (bewaringsplicht). UUIDv4.
    HoldId = "hld";
}

/// Where new ids come from. An argument everywhere, so that tests are exact.
pub trait Ids: Send + Sync {
    /// A new id made at `now`, later than every one before it.
    fn next(&self, now: DateTime<Utc>) -> Uuid;

    /// A new id that tells no time: UUIDv4, for what is under secrecy (design §8).
    fn blind(&self) -> Uuid;
}

/// Ids that count up from a seed: for tests and for the demo's fixed data.
#[derive(Debug)]
pub struct SeededIds(std::sync::atomic::AtomicU64);

impl SeededIds {
    /// Starts counting at `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(std::sync::atomic::AtomicU64::new(seed))
    }
}

impl Ids for SeededIds {
    fn next(&self, now: DateTime<Utc>) -> Uuid {
        let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        let mut random = [0; 10];
        let (_, tail) = random.split_at_mut(2);
        tail.copy_from_slice(&count.to_be_bytes());
        // The first bits are the version's and the variant's; the counter sits behind them.
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn blind(&self) -> Uuid {
        let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut random = [0; 16];
        let (_, tail) = random.split_at_mut(8);
        tail.copy_from_slice(&count.to_be_bytes());
        uuid::Builder::from_random_bytes(random).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = PupilId(Uuid::from_u128(0x0192_7b00_0000_7000_8000_0000_0000_0001));
        assert_eq!(id.to_string(), "pup_01927b00000070008000000000000001");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "",
            "pup_",
            "01927b00000070008000000000000001",
            "sch_01927b00000070008000000000000001",
            "pup_01927B00000070008000000000000001",
            "pup_01927b00-0000-7000-8000-000000000001",
            "pup_01927b000000700080000000000000010",
        ] {
            assert!(wrong.parse::<PupilId>().is_err(), "`{wrong}` was taken for a pupil");
        }
    }

    #[test]
    fn prefixes_are_distinct() {
        let distinct: std::collections::BTreeSet<_> = PREFIXES.iter().collect();
        assert_eq!(distinct.len(), PREFIXES.len());
    }

    #[test]
    fn seeded_ids_rise() {
        let ids = SeededIds::new(1);
        let now = DateTime::UNIX_EPOCH;
        let (a, b) = (ids.next(now), ids.next(now));
        assert!(a < b);
    }

    #[test]
    fn a_blind_id_tells_no_time() {
        let ids = SeededIds::new(7);
        let (a, b) = (ids.blind(), ids.blind());
        assert_ne!(a, b);
        assert_eq!((a.get_version_num(), b.get_version_num()), (4, 4));
    }
}
