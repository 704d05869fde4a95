//! How long dossiers are kept (R62): by a clock of the test exactly what is due goes, and of the rest it is said why it stays.
//!
//! By hand from domain facts §4.3: ten years after the last contact, and, as nobody knows whether a pupil was in special
//! education, through the 30th birthday.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use clb_hub::custody::Custody;
use clb_hub::custody::retention::{Becomes, Erased, Seen, Terms};
use clb_hub::keys::shredded::ShredList;
use clb_hub::store::roster::PupilSaid;
use clb_hub::store::secret::keeping::{CONTACTS, NO_CONTACTS};
use hub_entities::access_line;
use hub_entities::category::Categories;
use hub_entities::id::{AccessLineId, Ids as _, PupilId};
use hub_entities::law::retention::{Fate, Settings, Stays};
use hub_entities::operation::{Realm, Role};
use uuid::Uuid;

use super::holds::{HELD, held, put};
use super::{GUIDANCE, Staff, go_on, id_of, open, write};
use crate::support::coverage::Door;
use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{everything, list, meddle, number};
use crate::support::schema;
use crate::support::town::Town;
use crate::support::world::{at, born, day};

mod racing;

/// The custody as it is at this instant.
async fn custody(town: &Town, now: &str) -> Custody {
    Custody::open(&town.world.db, &town.apart, at(now)).await.unwrap()
}

fn terms(town: &Town) -> Terms<'_> {
    Terms {
        law: town.world.book.laws().retention(),
        settings: Settings::default(),
    }
}

/// Dossiers of north's pupils: learning was begun, written in and closed on 1 October 2026, and they left at the end of that month.
async fn kept<const N: usize>(town: &Town, staff: &Staff, said: [(&str, PupilSaid); N]) -> [PupilId; N] {
    let pupils = town.world.pupils(town.north, &said).await;
    for (_, pupil) in &pupils {
        let opened = town
            .ask_for(&staff.anchor, GUIDANCE, true, &open(*pupil, "LEARNING"))
            .await;
        let trajectory = opened["openTrajectory"]["trajectoryId"].as_str().unwrap().to_owned();
        for question in [
            write(&trajectory, "", "canary-kept"),
            go_on(&trajectory, 1, "close: true"),
        ] {
            town.ask_for(&staff.anchor, GUIDANCE, true, &question).await;
        }
    }
    left(town).await;
    pupils
        .iter()
        .map(|(_, pupil)| *pupil)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

/// Whoever the first CLB was competent for has another one since.
async fn left(town: &Town) {
    let ended = "update competence set ends_on = '2026-11-01' where ends_on is null or ends_on > '2026-11-01'";
    meddle(&town.world.look, ended).await;
}

/// What becomes of each pupil's dossier.
async fn fates(town: &Town, custody: &Custody) -> BTreeMap<PupilId, Becomes> {
    let seen = custody.dossiers(&town.keys, terms(town)).await.unwrap();
    seen.into_iter().map(|one| (one.pupil, one.becomes)).collect()
}

fn stays(until: Option<&str>, why: &[Stays]) -> Becomes {
    Becomes::Lawful(Fate::Stays(until.map(day), why.to_vec()))
}

fn due(since: &str) -> Becomes {
    Becomes::Lawful(Fate::Due(day(since)))
}

/// Erases what is due: how many of it went.
async fn carried_out(town: &Town, custody: &Custody) -> usize {
    let seen = custody.dossiers(&town.keys, terms(town)).await.unwrap();
    let mut erased = 0;
    for one in seen.iter().filter(|one| one.goes()) {
        let done = custody.carry_out(&town.keys, terms(town), one, &*town.world.ids).await;
        assert_eq!(done.unwrap(), Erased::Done);
        erased += 1;
    }
    erased
}

/// Of whom anything is left in any table of the secrecy store but its log.
async fn dossiers_of(database: &TestDatabase) -> BTreeSet<Uuid> {
    let look = database.look_apart().await;
    let mut all = BTreeSet::new();
    for (table, columns) in schema::columns(database).await {
        if let Some(table) = table.strip_prefix("secrecy.").filter(|table| *table != "access_line")
            && columns.contains("pupil_id")
        {
            let text = format!("select distinct pupil_id from {table} where pupil_id is not null");
            all.extend(list::<Uuid>(&look, &text).await);
        }
    }
    look.close().await.unwrap();
    all
}

both_databases!(exactly_what_is_due_goes, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    // The same child at two schools, which do not agree on the day it was born.
    let world = &town.world;
    let numbered = |birth: &str| PupilSaid {
        national_index: Some(vec![77; 32]),
        ..born(birth)
    };
    world.pupils(town.south, &[("two", numbered("1990-03-02"))]).await;
    let unborn = PupilSaid {
        birth_date: None,
        ..born("1990-03-01")
    };
    let [yesterday, today, long_ago, unknown, two, held_back, other_clb] = kept(
        &town,
        &staff,
        [
            ("yesterday", born("2012-05-01")),
            ("today", born("2012-05-02")),
            ("long_ago", born("1990-03-01")),
            ("unknown", unborn),
            ("two", numbered("1990-03-01")),
            ("held", born("1990-03-01")),
            ("other", born("1990-03-01")),
        ],
    )
    .await;
    held(&town, &staff.director, held_back).await;
    // Competent again, though not for anything that is written by now.
    let again = "update competence set ends_on = null where pupil_id in (select pupil_id from record where source_key = 'other')";
    assert_ne!(meddle(&world.look, again).await, 0);

    // Ten years through 1 October 2036; thirty through the birthday in 2042.
    let on = async |instant: &str| fates(&town, &custody(&town, instant).await).await;
    let border = on("2036-10-01T21:59:59Z").await;
    assert_eq!(border[&long_ago], stays(Some("2036-10-01"), &[Stays::TermRuns]));
    assert_eq!(
        on("2036-10-01T22:00:00Z").await[&long_ago],
        due("2036-10-02"),
        "midnight in Brussels"
    );
    let now = custody(&town, "2042-05-02T10:00:00Z").await;
    let expected = BTreeMap::from([
        (yesterday, due("2042-05-02")),
        (today, stays(Some("2042-05-02"), &[Stays::TermRuns])),
        (long_ago, due("2036-10-02")),
        (unknown, stays(None, &[Stays::BirthDateUnknown])),
        (two, stays(None, &[Stays::BirthDateUnknown])),
        (held_back, stays(Some("2036-10-01"), &[Stays::LegalHold])),
        (other_clb, stays(Some("2036-10-01"), &[Stays::Competent])),
    ]);
    let (before, apart) = (everything(database, &world.look).await, dossiers_of(database).await);
    assert_eq!(fates(&town, &now).await, expected);
    // Looking changes nothing.
    assert_eq!(everything(database, &world.look).await, before);
    assert_eq!(dossiers_of(database).await, apart);
    assert_eq!(ShredList::open(&town.keys).unwrap().keys().count(), 0);

    assert_eq!(carried_out(&town, &now).await, 2);
    let mut left = apart;
    assert!(left.remove(&yesterday.0) && left.remove(&long_ago.0));
    assert_eq!(dossiers_of(database).await, left, "and nothing else");
    let mut staying = expected;
    staying.retain(|_, becomes| !matches!(becomes, Becomes::Lawful(Fate::Due(_))));
    assert_eq!(fates(&town, &now).await, staying);
    // Each is a line of the log, and a key on the list; a second time there is nothing to do.
    let look = database.look_apart().await;
    let lines =
        "select count(*) from access_line where action = 'erase' and role = 'operator' and granted = 'audit=retention'";
    assert_eq!(number(&look, lines).await, 2);
    assert_eq!(ShredList::open(&town.keys).unwrap().keys().count(), 2);
    assert_eq!(carried_out(&town, &now).await, 0);
    assert_eq!(number(&look, lines).await, 2);
    assert_eq!(now.restored(&town.keys).await.unwrap(), 0);
    look.close().await.unwrap();
});

// What is chosen counts, instead of what the law says: of ordinary education alone, so the later of both.
both_databases!(what_was_chosen_counts, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let [pupil] = kept(&town, &staff, [("one", born("2012-05-01"))]).await;
    let now = custody(&town, "2042-05-02T10:00:00Z").await;
    for (chosen, expected) in [
        (None, due("2042-05-02")),
        (Some(18), due("2042-05-02")),
        (Some(35), stays(Some("2047-05-01"), &[Stays::TermRuns])),
    ] {
        let settings = Settings {
            ordinary_age: chosen,
            ..Settings::default()
        };
        let terms = Terms {
            settings,
            ..terms(&town)
        };
        let seen = now.dossiers(&town.keys, terms).await.unwrap();
        let becomes = &seen.iter().find(|one| one.pupil == pupil).unwrap().becomes;
        assert_eq!(*becomes, expected, "{chosen:?}");
    }
});

/// A row of this kind stands, as this statement makes it; and the one that takes it back.
const REASONS: [(&str, &str, &str, Stays); 16] = [
    (
        "secrecy",
        "update legal_hold set lifted_at = null",
        "update legal_hold set lifted_at = put_at",
        Stays::LegalHold,
    ),
    (
        "secrecy",
        "update trajectory set state = 'open' where domain = 'health'",
        "update trajectory set state = 'closed'",
        Stays::RunningTrajectory,
    ),
    (
        "secrecy",
        "update access_request set state = 'waiting'",
        "update access_request set state = 'refused'",
        Stays::OpenRequest,
    ),
    (
        "secrecy",
        "update guidance_request set state = 'received', pupil_id = (select pupil_id from legal_hold limit 1)",
        "update guidance_request set state = 'declined'",
        Stays::OpenRequest,
    ),
    (
        "secrecy",
        "update dossier_request set state = 'waiting' where id in (select id from dossier_request order by id limit 1)",
        "update dossier_request set state = 'refused'",
        Stays::OpenRequest,
    ),
    (
        "secrecy",
        "update correction_request set state = 'waiting' where id in (select id from correction_request order by id limit 1)",
        "update correction_request set state = 'refused'",
        Stays::OpenRequest,
    ),
    (
        "secrecy",
        "update access_lent set until_at = '2090-01-01T00:00:00+00:00'",
        "update access_lent set until_at = from_at",
        Stays::OpenAccess,
    ),
    (
        "secrecy",
        "update dossier_access set ends_on = '2090-01-01'",
        "update dossier_access set ends_on = '2026-11-01'",
        Stays::OpenAccess,
    ),
    (
        "secrecy",
        "update emergency set until_at = '2090-01-01T00:00:00+00:00'",
        "update emergency set until_at = from_at",
        Stays::OpenAccess,
    ),
    (
        "secrecy",
        "update school_release set over_for = null",
        "update school_release set over_for = 'ended'",
        Stays::ReleaseInForce,
    ),
    (
        "secrecy",
        "update release_intent set applied_at = null",
        "update release_intent set applied_at = at",
        Stays::WaitingIntent,
    ),
    (
        "secrecy",
        "update transfer set custody = 'announced'",
        "update transfer set custody = 'partly'",
        Stays::PendingTransfer,
    ),
    (
        "main",
        "update released set gone_at = null, pupil_id = (select pupil_id from record where source_key = 'ada')",
        "update released set gone_at = '2026-12-01T00:00:00+00:00'",
        Stays::ReleaseInForce,
    ),
    (
        "main",
        "update intent set applied_at = null, pupil_id = (select pupil_id from record where source_key = 'ada')",
        "update intent set applied_at = at",
        Stays::WaitingIntent,
    ),
    (
        "main",
        "update competence set ends_on = null",
        "update competence set ends_on = '2026-11-01'",
        Stays::Competent,
    ),
    // One that is to begin.
    (
        "main",
        "update competence set begins_on = '2080-06-01', ends_on = null",
        "update competence set begins_on = '2026-09-01', ends_on = '2026-11-01'",
        Stays::Competent,
    ),
];

/// A transfer of the dossier that is held back here, of which nothing came.
const MOVED: &str = "insert into transfer (id, clb_id, pupil_id, other_clb_id, arrives, custody, enrolled_on, announced_at,
         objection_until, goes_on, over_at, version)
     select h.id, h.clb_id, h.pupil_id, h.clb_id, false, 'partly', '2026-10-01', '2026-10-01T10:00:00+00:00', '2026-10-15',
         '2026-10-16', '2026-10-16T10:00:00+00:00', 1 from legal_hold h limit 1";

// All that can be in a dossier is brought out about Ada: each kind that stands keeps it, for that reason and no other.
both_databases!(each_reason_keeps_a_dossier, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    crate::dossier::brought_out(&mut Door::new(&town, &[])).await;
    town.applier().await.round().await.unwrap();
    let (look, main) = (database.look_apart().await, &town.world.look);
    let of = |store: &str| if store == "main" { main } else { &look };
    let now = custody(&town, "2080-01-02T10:00:00Z").await;
    let becomes = async || fates(&town, &now).await.remove(&town.ada).unwrap();
    assert_eq!(meddle(&look, MOVED).await, 1);
    for (store, _, over, _) in REASONS {
        meddle(of(store), over).await;
    }
    assert!(
        matches!(becomes().await, Becomes::Lawful(Fate::Due(_))),
        "the control: {:?}",
        becomes().await
    );
    for (store, stands, over, why) in REASONS {
        assert_ne!(meddle(of(store), stands).await, 0, "{stands}");
        let reasons = match becomes().await {
            Becomes::Lawful(Fate::Stays(_, reasons)) => reasons,
            other => panic!("{stands}: {other:?}"),
        };
        assert_eq!(reasons, [why], "{stands}");
        meddle(of(store), over).await;
    }
    assert!(matches!(becomes().await, Becomes::Lawful(Fate::Due(_))));
    look.close().await.unwrap();
});

// The last contact is the last thing in a dossier that has a date: each of them counts, and none is forgotten.
both_databases!(everything_with_a_date_is_a_contact, async |database: &TestDatabase| {
    let said: BTreeSet<(&str, &str)> = CONTACTS.into_iter().chain(NO_CONTACTS).collect();
    assert_eq!(said.len(), CONTACTS.len() + NO_CONTACTS.len(), "each once");
    let columns = schema::columns(database).await;
    // The log and what is on its way are of no dossier; a text has no pupil, and is one's by its entry.
    let beside = ["access_line", "release_intent"];
    let mut there = BTreeSet::new();
    for (table, of_table) in &columns {
        let Some(table) = table.strip_prefix("secrecy.") else {
            continue;
        };
        if !beside.contains(&table) && (of_table.contains("pupil_id") || table == "entry_text") {
            there.extend(
                of_table
                    .iter()
                    .filter(|column| column.ends_with("_at"))
                    .map(|column| (table, column.as_str())),
            );
        }
    }
    assert_eq!(there, said);

    let town = Town::new(database).await;
    crate::dossier::brought_out(&mut Door::new(&town, &[])).await;
    let look = database.look_apart().await;
    assert_eq!(meddle(&look, MOVED).await, 1);
    let now = custody(&town, "2080-01-02T10:00:00Z").await;
    // Until when the dossier is kept by its term: that alone is looked at.
    let until = async || match fates(&town, &now).await.remove(&town.ada).unwrap() {
        Becomes::Lawful(Fate::Stays(until, _)) => until.unwrap(),
        other => panic!("{other:?}"),
    };
    meddle(&town.world.look, "update record set birth_date = '1990-01-01'").await;
    meddle(
        &look,
        "update guidance_request set pupil_id = (select pupil_id from legal_hold limit 1)",
    )
    .await;
    let all = |value: &str| {
        let dated = said.iter().filter(|(table, _)| *table != "legal_hold");
        dated
            .map(|(table, column)| format!("update {table} set {column} = {value} where {column} is not null"))
            .collect::<Vec<_>>()
    };
    for text in all("'2030-03-01T12:00:00+00:00'") {
        meddle(&look, &text).await;
    }
    assert_eq!(until().await, day("2040-03-01"));
    for (table, column) in CONTACTS {
        let set =
            |value: &str| format!("update {table} set {column} = '{value}T12:00:00+00:00' where {column} is not null");
        assert_ne!(meddle(&look, &set("2031-04-01")).await, 0, "{table}.{column}");
        assert_eq!(until().await, day("2041-04-01"), "{table}.{column}");
        meddle(&look, &set("2030-03-01")).await;
    }
    for (table, column) in NO_CONTACTS {
        let set = format!("update {table} set {column} = '2031-04-01T12:00:00+00:00' where {column} is not null");
        meddle(&look, &set).await;
    }
    assert_eq!(until().await, day("2040-03-01"));
    look.close().await.unwrap();
});

// Who was tied to another pupil since: what is said of that one counts.
both_databases!(who_was_tied_to_another_is_not_lost, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let [one, other] = kept(
        &town,
        &staff,
        [("one", born("1990-03-01")), ("other", born("1990-03-01"))],
    )
    .await;
    let manager = &town.viewers.north_manager;
    let tie = format!(
        "mutation {{ mergePupils(input: {{ pupil: \"{one}\" into: \"{other}\" reason: \"the same child\" }}) {{ __typename }} }}"
    );
    assert_eq!(
        town.ask(manager, &tie).await["mergePupils"]["__typename"],
        "PupilMergeDecided"
    );
    left(&town).await;
    let now = custody(&town, "2042-05-02T10:00:00Z").await;
    assert_eq!(fates(&town, &now).await[&one], due("2036-10-02"));
    let competent = "update competence set ends_on = null where pupil_id in (select pupil_id from record where source_key = 'other')";
    assert_ne!(meddle(&town.world.look, competent).await, 0);
    assert_eq!(
        fates(&town, &now).await[&one],
        stays(Some("2036-10-01"), &[Stays::Competent])
    );
});

// The access log of basic data goes by its term, to the last instant of its day in Brussels; that of dossiers stays whole.
both_databases!(lines_of_basic_data_go_by_their_term, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let [pupil] = kept(&town, &staff, [("one", born("1990-03-01"))]).await;
    let (world, look) = (&town.world, &town.world.look);
    meddle(look, "delete from access_line").await;
    let line = |instant: &str| access_line::Model {
        id: AccessLineId(world.ids.next(at(instant))),
        at: at(instant),
        principal_id: id_of(&town.viewers.first),
        role: Role::ClbWorker,
        realm: Realm::Clb,
        purpose: None,
        categories: Categories::NONE,
        pupils: 1,
        pupil_ids: serde_json::json!([pupil.to_string()]),
        shared: None,
        request_id: Uuid::nil(),
    };
    let lines = ["2027-10-01T21:59:59Z", "2027-10-01T22:00:00Z", "2030-01-01T10:00:00Z"].map(line);
    clb_hub::store::access::write(&world.db, &lines).await.unwrap();
    let apart = database.look_apart().await;
    let secret = number(&apart, "select count(*) from access_line").await;
    // Ten years through 1 October 2037.
    let through = |text: &str| Some((day(text), 1));
    let now = custody(&town, "2037-10-02T10:00:00Z").await;
    assert_eq!(now.lines_due(terms(&town)).await.unwrap(), through("2027-10-01"));
    let before: NaiveDate = day("2027-09-30");
    let the_day_before = custody(&town, "2037-10-01T10:00:00Z").await;
    assert_eq!(the_day_before.lines_due(terms(&town)).await.unwrap(), Some((before, 0)));
    let chosen = Settings {
        access_log_years: Some(7),
        ..Settings::default()
    };
    let chosen = Terms {
        settings: chosen,
        ..terms(&town)
    };
    let seven = now.lines_due(chosen).await.unwrap();
    assert_eq!(seven, Some((day("2030-10-01"), 3)));
    assert_eq!(
        number(look, "select count(*) from access_line").await,
        3,
        "looking changes nothing"
    );
    assert_eq!(now.delete_lines(day("2027-10-01")).await.unwrap(), 1);
    assert_eq!(number(look, "select count(*) from access_line").await, 2);
    assert_eq!(now.delete_lines(day("2027-10-01")).await.unwrap(), 0);
    assert_eq!(number(&apart, "select count(*) from access_line").await, secret);
    apart.close().await.unwrap();
});

// As an operator calls it: what it says, to whom it says no, and that it does no more than it says.
both_databases!(
    the_command_says_why_and_erases_what_is_due,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let staff = Staff::anchored(&town).await;
        let [old, kept_back, young] = kept(
            &town,
            &staff,
            [
                ("old", born("1980-03-01")),
                ("back", born("1980-03-01")),
                ("young", born("2012-05-01")),
            ],
        )
        .await;
        let look = database.look_apart().await;
        for (table, column) in [
            ("trajectory", "opened_at"),
            ("trajectory", "closed_at"),
            ("entry_text", "written_at"),
        ] {
            meddle(
                &look,
                &format!("update {table} set {column} = '2001-03-01T12:00:00+00:00'"),
            )
            .await;
        }
        let gone = "update competence set ends_on = '2002-09-01', begins_on = '2001-09-01'";
        meddle(&town.world.look, gone).await;
        let hold = held(&town, &staff.director, kept_back).await;
        let folder = crate::dossier::events::configured(database);
        let with = ["--config", "clb-hub.toml"];
        folder.run(&[["keys"].as_slice(), with.as_slice()].concat());
        let dry = folder.run(&[["retention"].as_slice(), with.as_slice()].concat());
        let clb = town.first;
        for line in [
            format!("{clb} {old} due    since 2011-03-02"),
            format!("{clb} {kept_back} stays  term through 2011-03-01: legal_hold"),
            format!("{clb} {young} stays  term through 2042-05-01: term_runs"),
            "dossiers: 1 due, 2 stay, 3 in all".to_owned(),
            "  1 for legal_hold".to_owned(),
            "half_days: no term is known: nothing goes by age".to_owned(),
            "signals: no term is known: nothing goes by age".to_owned(),
            "basic_data: no term is known: nothing goes by age".to_owned(),
            "secret_log: each line is linked to the one before it, and no term is known: all stay".to_owned(),
            "nothing was changed; --carry-out erases what is due".to_owned(),
        ] {
            assert!(dry.lines().any(|told| told == line), "{line}\n{dry}");
        }
        for secret in ["canary", "Leerling", HELD[0], "1980"] {
            assert!(!dry.contains(secret), "{secret}: {dry}");
        }
        let keys = "select count(*) from dossier_key";
        assert_eq!(number(&look, keys).await, 3);
        // Nor by hand: no way goes round the hold, and it is said what to do.
        let (clb, back) = (clb.to_string(), kept_back.to_string());
        let shred = ["keys", "shred", "--clb", &clb, "--pupil", &back, with[0], with[1]];
        let refused = folder.output(&shred);
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && told.contains("liftLegalHold"), "{told}");
        let done = folder.run(&[["retention", "--carry-out"].as_slice(), with.as_slice()].concat());
        assert!(done.contains(&format!("{clb} {old} erased")), "{done}");
        assert!(
            done.contains("dossiers: 1 erased") && !done.contains("nothing was changed"),
            "{done}"
        );
        assert_eq!(number(&look, keys).await, 2);
        let again = folder.run(&[["retention", "--carry-out"].as_slice(), with.as_slice()].concat());
        assert!(again.contains("dossiers: 0 due, 2 stay, 2 in all"), "{again}");
        // Lifted, it goes by its term.
        let lifted = crate::dossier::holds::lift(&hold, 1, HELD[1]);
        town.ask_for(&staff.director, GUIDANCE, true, &lifted).await;
        folder.run(&[["retention", "--carry-out"].as_slice(), with.as_slice()].concat());
        assert_eq!(number(&look, keys).await, 1);
        look.close().await.unwrap();
    }
);

/// What is seen of one pupil's dossier.
async fn seen_of(town: &Town, custody: &Custody, pupil: PupilId) -> Seen {
    let seen = custody.dossiers(&town.keys, terms(town)).await.unwrap();
    seen.into_iter().find(|one| one.pupil == pupil).unwrap()
}
