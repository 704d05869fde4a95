//! One suite for every connector that pulls (`SPEC.md`, "A pull").
//!
//! A connector passes it against a fake of its system, over a real socket: see [`conforms`]. What the suite itself
//! would notice stands in `conformance/tests.rs`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use hub_entities::time::HalfDay;

use crate::absences::AbsenceRow;
use crate::contract::{Ask, Connector, Finished, Gap, Sink, Stream};
use crate::fake::{Host, Trouble, Unruly};
use crate::fault::Fault;
use crate::http::{Limits, Network, Reach};
use crate::roster::{PupilRow, Roster};

mod tests;

/// A connector, and the fake that it pulls from.
pub(crate) struct Subject {
    /// Serves the fake; ends with this.
    pub(crate) _host: Host,
    /// The fake, with answers that can be made to go wrong.
    pub(crate) site: Arc<Unruly>,
    /// The connector, with [`limits`] and [`reach`].
    pub(crate) connector: Box<dyn Connector>,
    /// Everything that can be asked: one of each stream, from the beginning.
    pub(crate) asks: Vec<Ask>,
    /// Changes something at the source.
    pub(crate) change: Box<dyn Fn() + Send + Sync>,
    /// Whether what was taken holds the change.
    pub(crate) changed: fn(&Taken) -> bool,
    /// The rule of a gap that a read must tell.
    pub(crate) gap: &'static str,
    /// What must never show: tokens, secrets, names and numbers of pupils, the address.
    pub(crate) canaries: Vec<String>,
    /// What a trouble is, where this system says it in its own way.
    pub(crate) kind: fn(Trouble) -> Kind,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Config,
    Refused,
    Transient,
    Broken,
}

impl Kind {
    pub(crate) const fn of(fault: &Fault) -> Self {
        match fault {
            Fault::Config(_) => Self::Config,
            Fault::Refused(_) => Self::Refused,
            Fault::Transient { .. } => Self::Transient,
            Fault::Broken { .. } => Self::Broken,
        }
    }

    /// What a trouble is for most systems.
    pub(crate) const fn usual(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Reset | Trouble::Cut | Trouble::Stall | Trouble::Breakdown | Trouble::Busy | Trouble::Late(_) => {
                Self::Transient
            }
            Trouble::Unauthorised => Self::Refused,
            Trouble::Portal
            | Trouble::OtherType
            | Trouble::Half
            | Trouble::Endless
            | Trouble::Deep
            | Trouble::Flood => Self::Broken,
        }
    }
}

/// Limits under which a trouble is soon seen.
pub(crate) fn limits() -> Limits {
    Limits {
        idle: Duration::from_millis(100),
        ..Limits::default()
    }
}

/// The loopback interface only.
pub(crate) fn reach() -> Reach {
    let network: Network = "127.0.0.0/8".parse().expect("a network");
    Reach::Public { and: vec![network] }
}

/// What was said of a half-day: pupil, half-day, letter, whether it is taken back.
pub(crate) type Said = (String, HalfDay, String, bool);

/// The same by pupil and half-day.
type Last<'a> = BTreeMap<(&'a str, HalfDay), (&'a str, bool)>;

/// What a read has brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Taken {
    pub(crate) rosters: Vec<Roster>,
    pub(crate) absences: Vec<Said>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) progress: Vec<(u64, Option<u64>)>,
}

impl Sink for Taken {
    fn roster(&mut self, roster: Roster) {
        self.rosters.push(roster);
    }

    fn absence(&mut self, row: AbsenceRow<'_>) {
        self.absences
            .push((row.pupil_key.to_owned(), row.at, row.letter.to_owned(), row.deleted));
    }

    fn gap(&mut self, gap: Gap) {
        self.gaps.push(gap);
    }

    fn progress(&mut self, done: u64, of: Option<u64>) {
        self.progress.push((done, of));
    }
}

impl Taken {
    fn is_empty(&self) -> bool {
        self.rosters.iter().all(|roster| roster.pupils.is_empty()) && self.absences.is_empty()
    }

    /// The same without how it went: of several rows of a half-day the last one.
    fn content(&self) -> (&[Roster], Last<'_>) {
        let rows = self.absences.iter();
        let last = rows.map(|(pupil, at, letter, deleted)| ((pupil.as_str(), *at), (letter.as_str(), *deleted)));
        (&self.rosters, last.collect())
    }

    /// What of a later read was not in this one.
    fn news(&self, later: &Self) -> Vec<String> {
        let mut news = Vec::new();
        for (before, after) in self.rosters.iter().zip(&later.rosters) {
            for pupil in &after.pupils {
                let known = before.pupils.iter().find(|known| known.source_key == pupil.source_key);
                if !known.is_some_and(|known| repeats(known, pupil)) {
                    news.push(format!("pupil {}", pupil.source_key));
                }
            }
            let fresh = after.memberships.iter().filter(|one| !before.memberships.contains(one));
            news.extend(fresh.map(|one| format!("membership {}", one.source_key)));
            let fresh = after.classes.iter().filter(|one| !before.classes.contains(one));
            news.extend(fresh.map(|one| format!("class {}", one.source_key)));
        }
        let fresh = later.absences.iter().filter(|row| !self.absences.contains(row));
        news.extend(fresh.map(|(pupil, at, ..)| format!("absence of {pupil} at {at:?}")));
        news
    }
}

/// Whether a later row says nothing that an earlier one does not. It may say less.
fn repeats(known: &PupilRow, later: &PupilRow) -> bool {
    let mut same = known.clone();
    (same.says, same.only_if_known) = (later.says, later.only_if_known);
    if !later.says.birth {
        (same.birth_date, same.sex) = (None, None);
    }
    if !later.says.schools {
        same.schools.clear();
    }
    if !later.says.person {
        same = PupilRow {
            source_key: same.source_key,
            says: same.says,
            only_if_known: same.only_if_known,
            schools: same.schools,
            birth_date: same.birth_date,
            sex: same.sex,
            ..PupilRow::default()
        };
    }
    same == *later
}

/// A day.
pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

async fn read(subject: &Subject, ask: &Ask) -> (Result<Finished, Fault>, Taken) {
    let mut taken = Taken::default();
    let finished = subject.connector.read(ask, &mut taken).await;
    (finished, taken)
}

async fn whole(subject: &Subject, ask: &Ask) -> (Finished, Taken) {
    let (finished, taken) = read(subject, ask).await;
    (finished.expect("a source in good order is read"), taken)
}

fn shows_nothing(subject: &Subject, what: &str, shown: &str) {
    for canary in &subject.canaries {
        assert!(!shown.contains(canary.as_str()), "{what} shows {canary}: {shown}");
    }
}

fn shown(of: &dyn Debug) -> String {
    format!("{of:?}")
}

pub(crate) async fn everything_is_read<F: Future<Output = Subject>>(make: fn() -> F) {
    let subject = make().await;
    let spec = subject.connector.spec();
    let streams: Vec<Stream> = subject.asks.iter().map(|ask| ask.stream).collect();
    assert_eq!(streams, spec.streams, "every stream is looked at");
    for ask in &subject.asks {
        let (finished, taken) = whole(&subject, ask).await;
        assert!(!taken.is_empty(), "{:?}", ask.stream);
        // Of half-days that are not said a read may know nothing; of pupils it must.
        let complete = finished.complete || ask.stream == Stream::Absences;
        assert!(complete, "{:?} from the beginning is complete", ask.stream);
        let rosters = usize::from(ask.stream == Stream::Roster);
        assert_eq!(
            taken.rosters.len(),
            rosters,
            "a roster comes once, and only when asked for"
        );
        let done: Vec<u64> = taken.progress.iter().map(|(done, _)| *done).collect();
        assert!(
            !done.is_empty() && done.is_sorted(),
            "progress is told and goes on: {done:?}"
        );
        assert_eq!(
            whole(&subject, ask).await.1.content(),
            taken.content(),
            "twice the same"
        );
    }
}

pub(crate) async fn nothing_is_new_from_its_state<F: Future<Output = Subject>>(make: fn() -> F) {
    let subject = make().await;
    for ask in &subject.asks {
        let (first, before) = whole(&subject, ask).await;
        let again = Ask {
            state: first.state,
            ..ask.clone()
        };
        let (_, after) = whole(&subject, &again).await;
        assert_eq!(before.news(&after), Vec::<String>::new());
    }
}

pub(crate) async fn a_change_comes_with_the_next_read<F: Future<Output = Subject>>(make: fn() -> F) {
    let subject = make().await;
    let mut next = Vec::new();
    for ask in &subject.asks {
        let (first, before) = whole(&subject, ask).await;
        assert!(!(subject.changed)(&before));
        next.push(Ask {
            state: first.state,
            ..ask.clone()
        });
    }
    (subject.change)();
    let mut seen = false;
    for ask in &next {
        seen |= (subject.changed)(&whole(&subject, ask).await.1);
    }
    assert!(seen, "the change is read");
}

pub(crate) async fn a_cut_anywhere_is_a_fault<F: Future<Output = Subject>>(make: fn() -> F) {
    let subject = make().await;
    for ask in &subject.asks {
        subject.site.calm();
        whole(&subject, ask).await;
        let pages = subject.site.answered();
        assert!(pages > 2, "one page shows nothing");
        for trouble in Trouble::ALL {
            for k in 1..=pages {
                subject.site.from(k, trouble);
                let (finished, _) = read(&subject, ask).await;
                let Err(fault) = finished else {
                    panic!("{trouble:?} at answer {k} of {pages} is taken for the end");
                };
                assert_eq!(
                    Kind::of(&fault),
                    (subject.kind)(trouble),
                    "{trouble:?} at answer {k}: {fault}"
                );
                if let (Trouble::Busy, Fault::Transient { retry_after, .. }) = (trouble, &fault) {
                    assert_eq!(
                        *retry_after,
                        Some(Duration::from_hours(1)),
                        "what the source asks for is told"
                    );
                }
                shows_nothing(&subject, "a fault", &format!("{fault} {fault:?}"));
            }
        }
        // And after all that it is whole again, from where it stood.
        subject.site.calm();
        whole(&subject, ask).await;
    }
}

pub(crate) async fn a_cut_that_passes_is_got_over<F: Future<Output = Subject>>(make: fn() -> F) {
    let subject = make().await;
    for ask in &subject.asks {
        subject.site.calm();
        let (finished, taken) = whole(&subject, ask).await;
        let pages = subject.site.answered();
        for trouble in [Trouble::Reset, Trouble::Cut, Trouble::Stall, Trouble::Breakdown] {
            if (subject.kind)(trouble) != Kind::Transient {
                continue;
            }
            for k in 1..=pages {
                subject.site.only(k, trouble);
                let (again, retaken) = whole(&subject, ask).await;
                assert_eq!(again, finished, "{trouble:?} at answer {k}");
                assert_eq!(retaken.content(), taken.content(), "{trouble:?} at answer {k}");
            }
        }
    }
}

pub(crate) async fn a_source_is_looked_at_without_a_pupil<F: Future<Output = Subject>>(make: fn() -> F) {
    let subject = make().await;
    subject.connector.check().await.expect("it can be reached");
    let discovery = subject.connector.discover().await.expect("it can be looked at");
    assert!(!discovery.notes.is_empty(), "doctor has something to say");
    shows_nothing(&subject, "a discovery", &shown(&discovery));
    for trouble in [Trouble::Unauthorised, Trouble::Cut, Trouble::Busy] {
        subject.site.from(1, trouble);
        let faults = [
            subject.connector.check().await.expect_err("it is in trouble"),
            subject.connector.discover().await.expect_err("it is in trouble"),
        ];
        for fault in faults {
            assert_eq!(Kind::of(&fault), (subject.kind)(trouble), "{trouble:?}: {fault}");
            shows_nothing(&subject, "a fault", &format!("{fault} {fault:?}"));
        }
    }
}

pub(crate) async fn what_is_lost_is_told<F: Future<Output = Subject>>(make: fn() -> F) {
    let subject = make().await;
    let mut gaps = Vec::new();
    for ask in &subject.asks {
        gaps.extend(whole(&subject, ask).await.1.gaps);
    }
    let prefix = format!("{}.", subject.connector.spec().name);
    assert!(
        gaps.iter().all(|gap| gap.rule.starts_with(&prefix) && gap.records > 0),
        "{gaps:?}"
    );
    assert!(gaps.iter().any(|gap| gap.rule == subject.gap), "{gaps:?}");
}

pub(crate) async fn nothing_shows_what_is_secret<F: Future<Output = Subject>>(make: fn() -> F) {
    let subject = make().await;
    assert!(subject.canaries.len() > 2, "a secret, an address and a name at least");
    shows_nothing(&subject, "the connector", &shown(&subject.connector));
    shows_nothing(&subject, "its spec", &shown(&subject.connector.spec()));
    for ask in &subject.asks {
        let (finished, taken) = whole(&subject, ask).await;
        shows_nothing(&subject, "what a finished read leaves", &shown(&finished));
        shows_nothing(&subject, "a gap", &shown(&taken.gaps));
        for roster in &taken.rosters {
            let report = format!("{} {:?} {:?}", roster.report, roster.report, roster.dropped);
            shows_nothing(&subject, "a report", &report);
        }
    }
}

/// The tests of the suite, for a connector and its fake: `conforms!(module, function that makes a Subject);`.
macro_rules! conforms {
    ($name:ident, $make:path) => {
        mod $name {
            use crate::conformance as suite;

            #[tokio::test]
            async fn everything_is_read() {
                suite::everything_is_read($make).await;
            }

            #[tokio::test]
            async fn nothing_is_new_from_its_state() {
                suite::nothing_is_new_from_its_state($make).await;
            }

            #[tokio::test]
            async fn a_change_comes_with_the_next_read() {
                suite::a_change_comes_with_the_next_read($make).await;
            }

            #[tokio::test]
            async fn a_cut_anywhere_is_a_fault() {
                suite::a_cut_anywhere_is_a_fault($make).await;
            }

            #[tokio::test]
            async fn a_cut_that_passes_is_got_over() {
                suite::a_cut_that_passes_is_got_over($make).await;
            }

            #[tokio::test]
            async fn a_source_is_looked_at_without_a_pupil() {
                suite::a_source_is_looked_at_without_a_pupil($make).await;
            }

            #[tokio::test]
            async fn what_is_lost_is_told() {
                suite::what_is_lost_is_told($make).await;
            }

            #[tokio::test]
            async fn nothing_shows_what_is_secret() {
                suite::nothing_shows_what_is_secret($make).await;
            }
        }
    };
}

pub(crate) use conforms;
