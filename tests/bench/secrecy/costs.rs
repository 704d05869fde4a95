//! What secrecy costs the processor: the policy alone, the shape of the answer with decisions and with a right that is given once
//! for all, and the opening of sealed fields. What a committed line costs is for `tests/bench/secrecy/run`, over HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a measurement ends where its own setting is wrong, and what a decision costs does not depend on where its facts stood"
)]

#[path = "../../../graphql/tests/schema/fake/mod.rs"]
#[expect(
    dead_code,
    reason = "the hub of the schema's own tests, of which this asks one question"
)]
mod fake;

use std::collections::HashMap;
use std::hint::black_box;

use chrono::{DateTime, NaiveDate, Utc};
use clb_hub::keys::data_key::{DataKey, KeyId};
use clb_hub::keys::seal::{self, Place};
use criterion::{Criterion, Throughput};
use hub_entities::dossier::entry::{About, ClosedGrounds};
use hub_entities::dossier::trajectory::{AskedBy, Phase, TrajectoryState};
use hub_entities::dossier::{Domain, Post};
use hub_entities::id::{ClbId, DecisionId, EntryId, PrincipalId, PupilId, TrajectoryId};
use hub_entities::law::consent::Decides;
use hub_entities::operation::{Discipline, Operation, Purpose, Role};
use hub_entities::policy::Relations;
use hub_entities::policy::secret::{
    Asked, Class, Field, Grant, Part, Place as InTeam, Posted, Protected, TieRows, Ties, Verdict, decide_batch,
};
use hub_entities::principal;
use hub_entities::time::Period;
use hub_graphql::dossier::{DossierRow, EntryRow, TrajectoryRow, Values};
use uuid::Uuid;

use fake::{Fake, over, pupil, viewer};

/// A list of pupils is read in pages of so many.
const PAGE: u128 = 100;
const DOMAINS: [Domain; 4] = [Domain::Learning, Domain::Career, Domain::Health, Domain::Wellbeing];
/// In each part of the dossier that is asked for.
const ROWS: u128 = 3;

fn began() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 9, 1).expect("a day")
}

/// A doctor who is in every team, with the purpose that opens all of them.
fn doctor() -> (Operation, Relations) {
    let mut operation = viewer(1, Role::ClbWorker);
    operation.purpose = Some(Purpose::Guidance);
    let row = principal::Model {
        id: PrincipalId(Uuid::from_u128(1)),
        issuer: "https://issuer.example".to_owned(),
        subject: "doctor".to_owned(),
        role: Role::ClbWorker,
        school_id: None,
        clb_id: Some(ClbId(Uuid::from_u128(8))),
        pupil_id: None,
        discipline: Some(Discipline::Doctor),
        begins_at: DateTime::UNIX_EPOCH,
        ends_at: None,
    };
    let relations = Relations::of_rows(Some(row), Vec::<hub_entities::agreement::Binding>::new());
    (operation, relations)
}

fn ties(of: PupilId) -> Ties {
    let period = Period {
        begins: began(),
        ends: None,
    };
    let place = |(number, domain)| InTeam {
        trajectory: TrajectoryId(Uuid::from_u128(number)),
        domain,
        period,
    };
    let rows = TieRows {
        competent: vec![period],
        posts: vec![Posted {
            post: Post::Doctor,
            period,
        }],
        places: (1..).zip(DOMAINS).map(place).collect(),
        decides: Decides::Pupil,
        ..TieRows::none()
    };
    Ties::of_rows(of, rows)
}

/// Ten classes of what can be asked about a pupil.
fn ten() -> Vec<Asked> {
    let parts = [Part::Trajectories, Part::Entries];
    let of_domains = DOMAINS
        .into_iter()
        .flat_map(|domain| parts.map(|part| (Class::of(domain), part)));
    let rest = [(Class::Medical, Part::Entries), (Class::Intake, Part::Requests)];
    let fields = of_domains
        .chain(rest)
        .filter_map(|(class, part)| Field::new(class, part));
    fields.map(Asked::Read).collect()
}

/// At most 200 µs for a page (issue 4).
fn decisions(criterion: &mut Criterion) {
    let (operation, relations) = doctor();
    let ties: Vec<Ties> = (1..=PAGE).map(|number| ties(pupil(number))).collect();
    let asked = ten();
    assert_eq!(asked.len(), 10);
    let mut group = criterion.benchmark_group("policy");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("100 pupils, 10 classes", |bencher| {
        bencher.iter(|| decide_batch(black_box(&operation), &relations, true, black_box(&ties), &asked));
    });
    group.finish();
}

fn entry(number: u128) -> EntryRow {
    EntryRow {
        id: EntryId(Uuid::from_u128(number)),
        trajectory: TrajectoryId(Uuid::from_u128(1)),
        about: About::Pupil,
        closed: ClosedGrounds::NONE,
        author: PrincipalId(Uuid::from_u128(1)),
        written_at: DateTime::<Utc>::UNIX_EPOCH,
        version: 1,
        text: "Een eerste gesprek van een half uur.".to_owned(),
        own_words: None,
        adds_to: None,
    }
}

fn trajectory(number: u128) -> TrajectoryRow {
    TrajectoryRow {
        id: TrajectoryId(Uuid::from_u128(number)),
        domain: Domain::Learning,
        phase: Phase::ExtendedCare,
        state: TrajectoryState::Open,
        asked_by: AskedBy::Parent,
        obligation: None,
        lapsed_at: None,
        opened_at: DateTime::<Utc>::UNIX_EPOCH,
        closed_at: None,
        version: 1,
        team: vec![(PrincipalId(Uuid::from_u128(1)), began(), None)],
    }
}

/// What a dossier holds of these fields, each by its right.
fn opened(grants: &[(Field, Grant)]) -> DossierRow {
    let value = |part| match part {
        Part::Trajectories => Values::Trajectories((1..=ROWS).map(trajectory).collect()),
        _ => Values::Entries((1..=ROWS).map(entry).collect()),
    };
    let field = |(field, grant): &(Field, Grant)| (*field, Protected::granted(grant, value(field.part())));
    DossierRow {
        fields: grants.iter().map(field).collect(),
        decision: DecisionId(Uuid::from_u128(3)),
    }
}

/// Which rights come of a question.
fn decided(operation: &Operation, relations: &Relations, of: &[PupilId], fields: &[Field]) -> Vec<(Field, Grant)> {
    let ties: Vec<Ties> = of.iter().copied().map(ties).collect();
    let asked: Vec<Asked> = fields.iter().copied().map(Asked::Read).collect();
    let verdicts = decide_batch(operation, relations, true, &ties, &asked);
    let grant = |(field, verdict): (&Field, Verdict)| match verdict {
        Verdict::Granted(grant) => Some((*field, grant)),
        Verdict::Withheld(_) | Verdict::Nothing => None,
    };
    fields
        .iter()
        .zip(verdicts.into_iter().flatten())
        .filter_map(grant)
        .collect()
}

const QUESTION: &str = r#"{ dossier(pupilId: "pup_00000000000000000000000000000001") {
    learning { trajectories { ...trajectories } entries { ...entries } }
    career { trajectories { ...trajectories } entries { ...entries } }
    health { trajectories { ...trajectories } entries { ...entries } }
    wellbeing { trajectories { ...trajectories } entries { ...entries } }
    medical { ...entries }
} }
fragment trajectories on ProtectedTrajectories {
    __typename ... on Withheld { code canAsk decisionId }
    ... on GrantedTrajectories { value { id domain phase state askedBy openedAt version } }
}
fragment entries on ProtectedEntries {
    __typename ... on Withheld { code canAsk decisionId } ... on GrantedEntries { value { id about writtenAt version text } }
}"#;

/// Real decisions cost at most 15 % more than a right that is given once for all (issue 4).
fn shape(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let (operation, relations) = doctor();
    let once: Vec<(Field, Grant)> = {
        let fields: Vec<Field> = Field::all().collect();
        decided(&operation, &relations, &[pupil(1)], &fields)
    };
    let kept = once.clone();
    let constant = Fake {
        dossiers: Some(Box::new(move |_, of, asked| {
            let asked = kept.iter().filter(|(one, _)| asked.fields.contains(one));
            let of_these: Vec<(Field, Grant)> = asked.cloned().collect();
            of.iter().map(|pupil| (*pupil, opened(&of_these))).collect()
        })),
        ..Fake::default()
    };
    let real = Fake {
        dossiers: Some(Box::new(move |operation, of, asked| {
            let grants = decided(operation, &relations, of, &asked.fields);
            of.iter()
                .map(|pupil| (*pupil, opened(&grants)))
                .collect::<HashMap<_, _>>()
        })),
        ..Fake::default()
    };
    let mut group = criterion.benchmark_group("a dossier of nine fields");
    for (name, fake) in [("a constant right", constant), ("decisions", real)] {
        let (schemas, _) = over(fake);
        let answer = runtime.block_on(fake::answer(&schemas, operation.clone(), QUESTION));
        assert_eq!(answer.to_string().matches("Granted").count(), 9, "{answer}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(fake::ask(&schemas, operation.clone(), QUESTION)));
        });
    }
    group.finish();
}

/// Three fields of a dossier, of half a kilobyte each.
fn opening(criterion: &mut Criterion) {
    let key = DataKey::generate(KeyId(Uuid::from_u128(4))).expect("randomness");
    let place = |row| Place {
        clb: ClbId(Uuid::from_u128(8)),
        dossier: pupil(1),
        table: "entry",
        column: "text",
        row: Uuid::from_u128(row),
    };
    let sealed = [1, 2, 3].map(|row| {
        (
            place(row),
            seal::seal_afresh(&key, &place(row), &[b'x'; 500]).expect("a seal"),
        )
    });
    let mut group = criterion.benchmark_group("sealed");
    group.bench_function("three fields of 500 bytes", |bencher| {
        bencher.iter(|| {
            for (place, envelope) in black_box(&sealed) {
                black_box(seal::open(&key, place, envelope)).expect("it is its own place");
            }
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decisions(&mut criterion);
    shape(&mut criterion);
    opening(&mut criterion);
    criterion.final_summary();
}
