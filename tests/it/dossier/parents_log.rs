//! What parents read of the access log: as far as it was reviewed for them, nothing while it is held back, and never that it is
//! (design §3, class audit). Expected by hand from the minutes at which things are done here.

use clb_hub::http::service::Principals as _;
use hub_entities::id::PupilId;
use hub_entities::operation::{Actor, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use super::consents::judge;
use super::emergencies::{self, NEED};
use super::exports::{differences, settled};
use super::leaks::{cost, sealed, without_decisions};
use super::log::{lines, log, officer};
use super::rights::{OWN, RIGHTS, dossiers, invalid, not_now, take, unknown};
use super::{GUIDANCE, Guided, id_of, step};
use crate::support::coverage::Door;
use crate::support::database::{TestDatabase, both_databases};
use crate::support::look::{list, meddle, number};
use crate::support::town::Town;
use crate::support::world::at;

/// Why it is held back: nowhere else.
pub(crate) const DANGER: &str = "canary-of-a-danger";

pub(crate) fn hold(trajectory: &str) -> String {
    let input = format!("trajectoryId: \"{trajectory}\" reason: \"{DANGER}\"");
    step("holdAccessLog", "AccessLogHoldNoted { holdId version }", &input)
}

pub(crate) fn lift(hold: &Value, version: i32) -> String {
    let input = format!("holdId: {hold} version: {version}");
    step("liftAccessLogHold", "AccessLogHoldNoted { holdId version }", &input)
}

fn review(pupil: PupilId, up_to: i64) -> String {
    let input = format!("pupilId: \"{pupil}\" upTo: {up_to}");
    step("reviewAccessLog", "AccessLogReviewed { pupilId position }", &input)
}

pub(crate) fn holds(pupil: PupilId) -> String {
    format!(
        "{{ accessLogHolds(pupilId: \"{pupil}\") {{ id trajectoryId heldBy heldAt reason liftedBy liftedAt version }} }}"
    )
}

fn for_parents(pupil: PupilId) -> String {
    format!(
        "{{ parentsLog(pupilId: \"{pupil}\") {{ __typename ... on Withheld {{ code canAsk decisionId }} ... on GrantedParentsLog {{
         value {{ reviews {{ position reviewedBy reviewedAt }} holds {{ heldBy heldAt liftedBy liftedAt }} }} }} }} }}"
    )
}

/// The position of the last line about this pupil that is sealed, as its officer reads it.
pub(crate) async fn last_sealed(town: &Town, officer: &Actor, pupil: PupilId) -> i64 {
    let of_pupil = log(&format!("first: 99 filter: {{ pupilId: \"{pupil}\" }}"));
    let answer = town.ask_for(officer, RIGHTS, true, &of_pupil).await;
    let positions = lines(&answer).into_iter();
    positions
        .filter_map(|line| line["detail"]["position"].as_i64())
        .max()
        .unwrap()
}

/// It is held back twice and let go once, and reviewed: all of it is brought out.
pub(super) async fn brought_out(door: &mut Door<'_>, guided: &Guided) {
    let (town, staff) = (door.town, &guided.staff);
    let first = door
        .ask_for(&staff.psychologist, GUIDANCE, &hold(&guided.learning))
        .await;
    let second = door.ask_for(&staff.anchor, GUIDANCE, &hold(&guided.learning)).await;
    assert_eq!(second["holdAccessLog"]["version"], 1, "{second}");
    let blank = hold(&guided.learning).replace(DANGER, " ");
    let blank = door.ask_for(&staff.anchor, GUIDANCE, &blank).await;
    assert_eq!(blank["holdAccessLog"], invalid("reason"));
    let lifted = lift(&first["holdAccessLog"]["holdId"], 1);
    let lifted = door.ask_for(&staff.anchor, GUIDANCE, &lifted).await;
    assert_eq!(lifted["liftAccessLogHold"]["version"], 2, "{lifted}");
    let found = door.ask_for(&staff.anchor, GUIDANCE, &holds(town.ada)).await;
    let found = found["accessLogHolds"].as_array().unwrap();
    assert!(
        found.len() == 2 && found.iter().all(|one| one["reason"] == DANGER),
        "{found:?}"
    );

    sealed(town).await;
    let officer = officer(town).await;
    let up_to = last_sealed(town, &officer, town.ada).await;
    let read = log(&format!("first: 99 filter: {{ pupilId: \"{}\" }}", town.ada));
    door.ask_for(&officer, RIGHTS, &read).await;
    for (up_to, expected) in [
        (
            up_to,
            json!({ "__typename": "AccessLogReviewed", "pupilId": town.ada.to_string(), "position": up_to }),
        ),
        (up_to - 1, json!({ "__typename": "Conflict", "version": up_to })),
        (0, invalid("upTo")),
    ] {
        let reviewed = door.ask_for(&officer, RIGHTS, &review(town.ada, up_to)).await;
        assert_eq!(reviewed["reviewAccessLog"], expected);
    }
    let told = door.ask_for(&officer, RIGHTS, &for_parents(town.ada)).await;
    let told = &told["parentsLog"]["value"];
    let counts = ["reviews", "holds"].map(|of| told[of].as_array().unwrap().len());
    assert_eq!(counts, [1, 2], "{told}");
}

/// Ada, whom the team of learning finds not able to judge yet: her parents decide.
struct Home {
    town: Town,
    guided: Guided,
    officer: Actor,
    parent: Actor,
}

impl Home {
    /// At ten past ten Ada has looked at her own log and was judged, the psychologist has read, a paramedic was refused, and so
    /// was the parent; all of it is sealed.
    async fn new(database: &TestDatabase) -> Self {
        let town = Town::new(database).await;
        let guided = {
            let mut door = Door::new(&town, &[]);
            Guided::ada(&mut door).await
        };
        let world = &town.world;
        let (pupil, parent) = (
            world.person(Role::Pupil, town.ada).await,
            world.person(Role::Parent, town.ada).await,
        );
        let officer = officer(&town).await;
        let mut home = Self {
            town,
            guided,
            officer,
            parent,
        };
        home.at("10:01");
        home.town.ask_for(&pupil, RIGHTS, true, &log("first: 9")).await;
        home.at("10:02");
        let staff = &home.guided.staff;
        let judged = judge(&home.guided.learning, "NOT_CAPABLE", "x");
        assert_eq!(
            take(&home.town, &staff.anchor, &judged).await["__typename"],
            "TrajectoryStepped"
        );
        home.looks("10:03").await;
        home.at("10:04");
        let refused = question(home.town.ada);
        home.town
            .ask_for(&home.guided.staff.paramedic, GUIDANCE, true, &refused)
            .await;
        home.at("10:05");
        let parent = home.parent.clone();
        assert_eq!(home.read(&parent).await, CLOSED);
        sealed(&home.town).await;
        home.at("10:10");
        home
    }

    fn at(&mut self, minute: &str) {
        self.town.world.now = at(&format!("2026-10-01T{minute}:00Z"));
    }

    /// The psychologist reads, at this minute.
    async fn looks(&mut self, minute: &str) {
        self.at(minute);
        let read = question(self.town.ada);
        self.town
            .ask_for(&self.guided.staff.psychologist, GUIDANCE, true, &read)
            .await;
    }

    /// What a parent is told, sorted: minute, role and purpose of each line, or the code.
    async fn read(&self, parent: &Actor) -> Vec<String> {
        told(&self.town.ask_for(parent, RIGHTS, true, &log("first: 99")).await)
    }

    /// The officer reviews up to the last line that is sealed: how far.
    async fn review(&self) -> i64 {
        let up_to = last_sealed(&self.town, &self.officer, self.town.ada).await;
        let reviewed = take(&self.town, &self.officer, &review(self.town.ada, up_to)).await;
        assert_eq!(reviewed["position"], up_to, "{reviewed}");
        up_to
    }
}

const CLOSED: [&str; 1] = ["SECRECY?"];

/// What of a dossier.
fn question(pupil: PupilId) -> String {
    format!("{{ dossier(pupilId: \"{pupil}\") {{ learning {{ entries {{ __typename }} }} }} }}")
}

fn told(answer: &Value) -> Vec<String> {
    let log = &answer["accessLog"];
    if log["__typename"] != "GrantedAccessLog" {
        let ask = if log["canAsk"] == true { "?" } else { "" };
        return vec![format!("{}{ask}", log["code"].as_str().unwrap_or("-"))];
    }
    let all = lines(answer);
    assert_eq!(log["value"]["totalCount"], all.len(), "{answer}");
    let one = |line: &Value| {
        assert!(line["detail"].is_null() && line["emergency"] == false, "{line}");
        let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", &text("at")[11..16], text("role"), text("purpose"))
    };
    let mut told: Vec<String> = all.iter().map(one).collect();
    told.sort();
    told
}

/// What was done until ten past ten that a parent may be told: not what the child did, and not who was told nothing.
const FIRST: [&str; 7] = [
    "10:00 CLB_DIRECTOR GUIDANCE",
    "10:00 CLB_WORKER GUIDANCE",
    "10:00 CLB_WORKER GUIDANCE",
    "10:00 CLB_WORKER GUIDANCE",
    "10:00 CLB_WORKER GUIDANCE",
    "10:02 CLB_WORKER GUIDANCE",
    "10:03 CLB_WORKER GUIDANCE",
];

both_databases!(a_parent_reads_what_was_reviewed, async |database: &TestDatabase| {
    let mut home = Box::pin(Home::new(database)).await;
    let ada = home.town.ada;
    let other = home.town.world.person(Role::Parent, ada).await;
    let parent = home.parent.clone();
    // The officer finds where each line stands; one that was just written has no place yet.
    let of_ada = log(&format!("first: 99 filter: {{ pupilId: \"{ada}\" }}"));
    let answer = home.town.ask_for(&home.officer, RIGHTS, true, &of_ada).await;
    let positions: Vec<Value> = lines(&answer)
        .iter()
        .map(|line| line["detail"]["position"].clone())
        .collect();
    assert_eq!(
        positions[..6],
        [Value::Null, json!(10), json!(9), json!(8), json!(7), json!(6)]
    );
    assert_eq!(positions.len(), 11);

    // Up to the eighth: what the psychologist read at three past ten.
    home.at("10:11");
    let reviewed = take(&home.town, &home.officer, &review(ada, 8)).await;
    let done = json!({ "__typename": "AccessLogReviewed", "pupilId": ada.to_string(), "position": 8 });
    assert_eq!(reviewed, done);
    home.at("10:12");
    assert_eq!(home.read(&parent).await, FIRST);
    home.at("10:13");
    assert_eq!(home.read(&other).await, FIRST);
    // What comes after it stays closed, sealed or not.
    home.at("10:14");
    let opened = take(&home.town, &home.guided.staff.paramedic, &emergencies::open(ada, NEED)).await;
    assert_eq!(opened["__typename"], "EmergencyOpened", "{opened}");
    sealed(&home.town).await;
    home.at("10:15");
    assert_eq!(home.read(&parent).await, FIRST);
    let first = log("first: 99 filter: { until: \"2026-10-01T10:01:00Z\" }");
    assert_eq!(
        told(&home.town.ask_for(&parent, RIGHTS, true, &first).await),
        FIRST[..5]
    );
    let weak = home.town.ask_for(&parent, RIGHTS, false, &log("first: 9")).await;
    assert_eq!(told(&weak), ["NEEDS_STEP_UP"]);

    // Reviewed again: a parent's own looks are lines too; what the other parent did is not told, nor that of danger was spoken.
    home.at("10:16");
    let up_to = home.review().await;
    let answer = home.town.ask_for(&home.officer, RIGHTS, true, &of_ada).await;
    assert!(
        lines(&answer).iter().any(|line| line["emergency"] == true),
        "the control: {answer}"
    );
    home.at("10:17");
    let also = |own: &str| {
        let own = format!("{own} PARENT RIGHTS_OF_THE_PERSON");
        let mut all = FIRST.to_vec();
        all.extend([
            "10:10 DATA_PROTECTION_OFFICER RIGHTS_OF_THE_PERSON",
            "10:11 DATA_PROTECTION_OFFICER GUIDANCE",
            own.as_str(),
            "10:14 CLB_WORKER GUIDANCE",
        ]);
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(home.read(&parent).await, also("10:12"));
    assert_eq!(home.read(&other).await, also("10:13"));

    // It never goes back, nor ahead of what is sealed, and is about a pupil of whom the log tells something.
    let look = database.look_apart().await;
    let head = number(&look, "select max(seq) from access_line").await;
    for (pupil, number, expected) in [
        (ada, up_to - 1, json!({ "__typename": "Conflict", "version": up_to })),
        (ada, head + 1, not_now()),
        (ada, 0, invalid("upTo")),
        (home.town.bo, head, unknown()),
        (PupilId(Uuid::from_u128(7)), head, unknown()),
    ] {
        assert_eq!(take(&home.town, &home.officer, &review(pupil, number)).await, expected);
    }
    assert_eq!(home.read(&parent).await, also("10:12"));
    // Each review stays, with who and when.
    let facts = take(&home.town, &home.officer, &for_parents(ada)).await;
    let one = |position: i64, minute: &str| {
        json!({ "position": position, "reviewedBy": id_of(&home.officer).to_string(),
            "reviewedAt": format!("2026-10-01T{minute}:00+00:00") })
    };
    assert_eq!(facts["value"]["reviews"], json!([one(up_to, "10:16"), one(8, "10:11")]));
    // Another controller's officer reviews another log.
    let of_second = home
        .town
        .world
        .someone(Role::DataProtectionOfficer, None, Some(home.town.second))
        .await;
    assert_eq!(take(&home.town, &of_second, &review(ada, 1)).await, not_now());
    let facts = take(&home.town, &of_second, &for_parents(ada)).await;
    assert_eq!(facts["value"], json!({ "reviews": [], "holds": [] }));
    // Neither a parent nor the pupil reviews, or finds how far it was.
    for person in [&parent, &home.town.world.person(Role::Pupil, ada).await] {
        assert_eq!(take(&home.town, person, &review(ada, 1)).await, unknown());
        assert_eq!(take(&home.town, person, &for_parents(ada)).await, Value::Null);
    }

    // Found able to judge, it is the pupil's again.
    home.at("10:18");
    let judged = judge(&home.guided.learning, "CAPABLE", "x");
    take(&home.town, &home.guided.staff.anchor, &judged).await;
    assert_eq!(home.read(&parent).await, CLOSED);
    home.at("10:19");
    let judged = judge(&home.guided.learning, "NOT_CAPABLE", "x");
    take(&home.town, &home.guided.staff.anchor, &judged).await;
    assert_eq!(home.read(&parent).await, also("10:12"), "the control");
    // Whose authority has ended does not even sign in.
    let ended = format!(
        "update principal set ends_at = '2026-10-01 10:16:00+00:00' where subject = '{}'",
        id_of(&parent)
    );
    assert_eq!(meddle(&home.town.world.look, &ended).await, 1);
    let (house, now) = (&home.town.house, home.town.world.now);
    let found = house
        .find("https://issuer.example", &id_of(&parent).to_string(), now)
        .await;
    assert!(found.unwrap().is_none());
    assert_eq!(home.read(&other).await, also("10:13"));
    look.close().await.unwrap();
});

both_databases!(a_line_that_came_late_stays_closed, async |database: &TestDatabase| {
    let mut home = Box::pin(Home::new(database)).await;
    let parent = home.parent.clone();
    home.review().await;
    assert_eq!(home.read(&parent).await, FIRST);
    // Committed after the review, with a time of long before it.
    home.looks("10:02").await;
    home.at("10:20");
    assert_eq!(home.read(&parent).await, FIRST, "not linked yet");
    sealed(&home.town).await;
    assert_eq!(home.read(&parent).await, FIRST, "linked behind what was reviewed");
    home.review().await;
    let late = |line: &&String| *line == "10:02 CLB_WORKER GUIDANCE";
    let read = home.read(&parent).await;
    assert_eq!(read.iter().filter(late).count(), 2, "the control: {read:?}");
});

both_databases!(a_hold_is_not_seen, async |database: &TestDatabase| {
    let mut home = Box::pin(Home::new(database)).await;
    let (ada, bo) = (home.town.ada, home.town.bo);
    let parent = home.parent.clone();
    let closed = async |home: &Home, parent: &Actor| {
        let (answer, main, apart) = cost(&home.town, parent, &log("first: 9")).await;
        (without_decisions(&answer), main, apart)
    };
    // Nothing was reviewed.
    let nothing = closed(&home, &parent).await;
    assert!(nothing.0.contains(r#""code":"SECRECY""#), "{nothing:?}");
    // Of Bo it was reviewed, and there is nothing there: whoever tried was told nothing.
    let young = "update record set birth_date = '2015-05-01' where source_key = 'bo'";
    assert_eq!(meddle(&home.town.world.look, young).await, 1);
    home.town
        .ask_for(&home.guided.staff.director, GUIDANCE, true, &question(bo))
        .await;
    sealed(&home.town).await;
    let up_to = last_sealed(&home.town, &home.officer, bo).await;
    let reviewed = take(&home.town, &home.officer, &review(bo, up_to)).await;
    assert_eq!(reviewed["__typename"], "AccessLogReviewed", "{reviewed}");
    let of_bo = home.town.world.person(Role::Parent, bo).await;
    assert_eq!(closed(&home, &of_bo).await, nothing);
    // Who is no parent of this one reads nothing, as of nobody.
    let about = |pupil: PupilId| log(&format!("first: 9 filter: {{ pupilId: \"{pupil}\" }}"));
    let stranger = cost(&home.town, &of_bo, &about(ada)).await;
    assert_eq!(stranger.0, r#"{"data":{"accessLog":null}}"#);
    assert_eq!(
        stranger,
        cost(&home.town, &of_bo, &about(PupilId(Uuid::from_u128(7)))).await
    );

    // Held back, after it was read.
    home.review().await;
    home.at("10:20");
    let open = home.read(&parent).await;
    assert_eq!(open, FIRST, "the control");
    home.at("10:30");
    let staff = home.guided.staff.clone();
    let held = take(&home.town, &staff.psychologist, &hold(&home.guided.learning)).await;
    let other = take(&home.town, &staff.nurse, &hold(&home.guided.health)).await;
    assert_eq!((&held["version"], &other["version"]), (&json!(1), &json!(1)));
    home.at("10:21");
    assert_eq!(closed(&home, &parent).await, nothing);
    // Whatever else a parent asks is answered as before, and the document says what the log does.
    let document = "{ ownExport { document } }";
    let document = home.town.ask_for(&parent, RIGHTS, true, document).await;
    let document: Value = serde_json::from_str(document["ownExport"]["document"].as_str().unwrap()).unwrap();
    assert_eq!(document["accessLog"]["withheld"]["code"], "SECRECY");
    let weak = home.town.ask_for(&parent, RIGHTS, false, &log("first: 9")).await;
    assert_eq!(told(&weak), CLOSED, "as where nothing was reviewed");

    // Whoever is in the team of that trajectory knows why, and nobody else.
    let reasons = async |home: &Home, who: &Actor| {
        let found = take(&home.town, who, &holds(ada)).await;
        let found = found.as_array().unwrap().iter();
        found
            .map(|one| (one["trajectoryId"].clone(), one["reason"].clone()))
            .collect::<Vec<_>>()
    };
    home.at("10:31");
    let of = |trajectory: &str| vec![(json!(trajectory), json!(DANGER))];
    assert_eq!(reasons(&home, &staff.anchor).await, of(&home.guided.learning));
    assert_eq!(reasons(&home, &staff.nurse).await, of(&home.guided.health));
    for nobody in [&staff.pedagogue, &staff.director, &home.town.viewers.second] {
        assert!(reasons(&home, nobody).await.is_empty(), "{nobody:?}");
        assert_eq!(
            take(&home.town, nobody, &hold(&home.guided.learning)).await,
            unknown(),
            "{nobody:?}"
        );
    }
    let facts = take(&home.town, &home.officer, &for_parents(ada)).await;
    let one = |who: &Actor| json!({ "heldBy": id_of(who).to_string(), "heldAt": "2026-10-01T10:30:00+00:00", "liftedBy": null, "liftedAt": null });
    let told_to_officer = facts["value"]["holds"].as_array().unwrap();
    assert!(
        told_to_officer.len() == 2 && told_to_officer.contains(&one(&staff.psychologist)),
        "{facts}"
    );
    assert!(!facts.to_string().contains(DANGER));

    // Let go by the team, once each; while one stands nothing is told.
    home.at("10:32");
    let hold_id = &held["holdId"];
    assert_eq!(take(&home.town, &staff.nurse, &lift(hold_id, 1)).await, unknown());
    let stale = json!({ "__typename": "Conflict", "version": 1 });
    assert_eq!(take(&home.town, &staff.anchor, &lift(hold_id, 2)).await, stale);
    assert_eq!(take(&home.town, &staff.anchor, &lift(hold_id, 1)).await["version"], 2);
    assert_eq!(take(&home.town, &staff.anchor, &lift(hold_id, 2)).await, not_now());
    home.at("10:21");
    assert_eq!(closed(&home, &parent).await, nothing);
    home.at("10:33");
    assert_eq!(
        take(&home.town, &staff.nurse, &lift(&other["holdId"], 1)).await["version"],
        2
    );
    home.at("10:21");
    assert_eq!(home.read(&parent).await, open);
    // Reviewed to the end: no line tells that it was ever held back, though each step is one.
    sealed(&home.town).await;
    home.review().await;
    home.at("10:40");
    let all = home.read(&parent).await;
    assert!(all.len() > open.len(), "the control: {all:?}");
    let of_holds = |line: &&String| line.starts_with("10:3") && line.contains("WORKER");
    assert_eq!(all.iter().filter(of_holds).count(), 0, "{all:?}");
    let look = database.look_apart().await;
    let steps = "select granted from access_line where action = 'hold_log' and granted <> '' order by granted";
    // Held, asked for and let go; of learning it was tried twice more in a version that does not stand.
    let steps = list::<String>(&look, steps).await;
    let (of_health, of_learning) = steps.split_at(3);
    assert!(of_health.iter().all(|one| one == "secret.health=team"), "{steps:?}");
    assert_eq!(of_learning, ["secret.learning=team"; 5]);
    look.close().await.unwrap();
});

// Two states that differ in a hold differ, for a parent, in the log and in nothing else.
both_databases!(a_hold_closes_the_log_alone, async |database: &TestDatabase| {
    let mut home = Box::pin(Home::new(database)).await;
    let parent = home.parent.clone();
    home.review().await;
    home.at("10:20");
    let all = async |home: &Home| {
        let mut found = Vec::new();
        for question in [
            &dossiers(),
            OWN,
            "{ viewer { id role } emergencies(first: 9) { __typename } }",
        ] {
            let answer = home.town.answer_for(&parent, RIGHTS, true, question).await;
            found.push(without_decisions(&answer.to_string()));
        }
        let made = home
            .town
            .ask_for(&parent, RIGHTS, true, "{ ownExport { document } }")
            .await;
        let document: Value = serde_json::from_str(made["ownExport"]["document"].as_str().unwrap()).unwrap();
        (found, document)
    };
    let (answers, open) = all(&home).await;
    let lines = open["accessLog"]["value"].as_array().unwrap().iter();
    let mut minutes: Vec<&str> = lines.map(|line| &line["at"].as_str().unwrap()[11..16]).collect();
    minutes.sort_unstable();
    assert_eq!(
        minutes,
        FIRST.map(|line| &line[..5]),
        "the document says what the log does"
    );
    assert_eq!(home.read(&parent).await, FIRST);

    take(&home.town, &home.guided.staff.anchor, &hold(&home.guided.learning)).await;
    let (held, closed) = all(&home).await;
    assert_eq!(held, answers);
    assert_eq!(home.read(&parent).await, CLOSED);
    let of_the_log = ["/accessLog/value", "/accessLog/withheld"].map(str::to_owned);
    assert_eq!(differences(&settled(open), &settled(closed)), of_the_log.into());
});
