//! The dossier through the whole house: who reads and writes what (R03), and that nothing written is lost. What it must
//! not tell is in [`leaks`].

mod asking;
mod consents;
mod corrections;
mod costs;
mod emergencies;
mod erasure;
pub(crate) mod events;
mod exports;
pub(crate) mod holds;
mod leaks;
mod log;
pub(crate) mod parents_log;
mod referrals;
mod releases;
mod replayed;
mod retention;
pub(crate) mod rights;
mod together;

pub(crate) use leaks::{cost, every_byte, has, sealed};
pub(crate) use parents_log::last_sealed;

use hub_entities::id::{PrincipalId, PupilId};
use hub_entities::operation::{Actor, Discipline, Purpose, Role};
use serde_json::{Value, json};

use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, number};
use crate::support::town::Town;

pub(crate) const AT: &str = "2026-10-01T10:00:00+00:00";

/// What stands in the entries, and is nowhere else.
const CANARIES: [&str; 3] = ["canary-of-learning", "canary-of-wellbeing", "canary-of-health"];

/// All there is to read in a dossier.
const ALL: &str = "pupilId
    learning { trajectories { TRAJECTORIES } entries { ENTRIES } consents { CONSENTS } referrals { REFERRALS } }
    career { trajectories { TRAJECTORIES } entries { ENTRIES } consents { CONSENTS } referrals { REFERRALS } }
    health { trajectories { TRAJECTORIES } entries { ENTRIES } consents { CONSENTS } referrals { REFERRALS } }
    wellbeing { trajectories { TRAJECTORIES } entries { ENTRIES } consents { CONSENTS } referrals { REFERRALS } }
    medical { ENTRIES }";

pub(crate) fn all_of(pupil: PupilId) -> String {
    let withheld = "__typename ... on Withheld { code canAsk decisionId }";
    let all = ALL
        .replace(
            "TRAJECTORIES",
            &format!(
                "{withheld} ... on GrantedTrajectories {{ value {{ id domain phase state askedBy obligation lapsedAt openedAt closedAt
                 version team {{ workerId begins ends }} }} }}"
            ),
        )
        .replace(
            "ENTRIES",
            &format!(
                "{withheld} ... on GrantedEntries {{ value {{ id trajectoryId about closed authorId writtenAt version ownWordsOf addsTo text }} }}"
            ),
        );
    let all = all
        .replace("CONSENTS", consents::CONSENTS)
        .replace("REFERRALS", referrals::REFERRALS);
    format!("{{ dossier(pupilId: \"{pupil}\") {{ {all} }} }}")
}

pub(crate) fn id_of(actor: &Actor) -> PrincipalId {
    match actor {
        Actor::Principal { id, .. } => *id,
        _ => panic!("a viewer is a principal"),
    }
}

/// Who works at the first CLB.
#[derive(Clone)]
pub(crate) struct Staff {
    pub(crate) director: Actor,
    pub(crate) administration: Actor,
    pub(crate) anchor: Actor,
    pub(crate) psychologist: Actor,
    pub(crate) pedagogue: Actor,
    pub(crate) nurse: Actor,
    pub(crate) paramedic: Actor,
}

impl Staff {
    /// The same, with the anchor posted at north.
    pub(crate) async fn anchored(town: &Town) -> Self {
        let staff = Self::of(town).await;
        let post = assign_post(&staff.anchor, town, "ANCHOR", FROM_NOW);
        town.ask_for(&staff.director, None, true, &post).await;
        staff
    }

    pub(crate) async fn of(town: &Town) -> Self {
        let (world, clb) = (&town.world, town.first);
        world.keeps_dossiers(clb).await;
        Self {
            director: world.someone(Role::ClbDirector, None, Some(clb)).await,
            administration: world.someone(Role::ClbAdministration, None, Some(clb)).await,
            anchor: world.worker(clb, Discipline::SocialWorker).await,
            psychologist: world.worker(clb, Discipline::Psychologist).await,
            pedagogue: world.worker(clb, Discipline::Pedagogue).await,
            nurse: world.worker(clb, Discipline::Nurse).await,
            paramedic: world.worker(clb, Discipline::Paramedic).await,
        }
    }
}

pub(crate) fn go_on(trajectory: &str, version: i32, more: &str) -> String {
    let input = format!("trajectoryId: \"{trajectory}\" version: {version} {more}");
    step("moveTrajectory", "TrajectoryStepped { trajectoryId version }", &input)
}

/// What a step answers, whatever comes of it.
pub(crate) fn step(mutation: &str, done: &str, input: &str) -> String {
    format!(
        "mutation {{ {mutation}(input: {{ {input} }}) {{ __typename ... on {done} ... on Conflict {{ version }}
         ... on NotPossible {{ reason }} ... on Invalid {{ field }} }} }}"
    )
}

pub(crate) fn assign_post(worker: &Actor, town: &Town, post: &str, period: &str) -> String {
    let (worker, school) = (id_of(worker), town.north.id);
    let input = format!("workerId: \"{worker}\" schoolId: \"{school}\" post: {post} {period}");
    step("assignPost", "PostAssigned { postId }", &input)
}

pub(crate) fn open(pupil: PupilId, domain: &str) -> String {
    let input = format!("pupilId: \"{pupil}\" domain: {domain} phase: EXTENDED_CARE askedBy: PARENT");
    step("openTrajectory", "TrajectoryStepped { trajectoryId version }", &input)
}

pub(crate) fn assign(trajectory: &str, version: i32, worker: &Actor, period: &str) -> String {
    let worker = id_of(worker);
    let input = format!("trajectoryId: \"{trajectory}\" version: {version} workerId: \"{worker}\" {period}");
    step("assignTeam", "TrajectoryStepped { trajectoryId version }", &input)
}

pub(crate) fn write(trajectory: &str, more: &str, text: &str) -> String {
    let input = format!("trajectoryId: \"{trajectory}\" about: PUPIL {more} text: \"{text}\"");
    step("writeEntry", "EntryWritten { entryId version }", &input)
}

fn correct(entry: &str, version: i32, text: &str) -> String {
    let input =
        format!("entryId: \"{entry}\" version: {version} about: CONTEXT closed: [COURT, AGOGIC] text: \"{text}\"");
    step("correctEntry", "EntryWritten { entryId version }", &input)
}

pub(crate) const FROM_NOW: &str = "begins: \"2026-10-01\"";
pub(crate) const GUIDANCE: Option<Purpose> = Some(Purpose::Guidance);

/// Ada is guided in learning by anchor and psychologist, in health by the nurse; and an entry stands in each part.
pub(crate) struct Guided {
    staff: Staff,
    learning: String,
    health: String,
    entry: String,
}

impl Guided {
    async fn ada(door: &mut Door<'_>) -> Self {
        let town = door.town;
        let staff = Staff::of(town).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for (worker, post) in [(&staff.anchor, "ANCHOR"), (&staff.nurse, "NURSE")] {
            let posted = door
                .ask_for(&staff.director, None, &assign_post(worker, town, post, FROM_NOW))
                .await;
            assert_eq!(posted["assignPost"]["__typename"], "PostAssigned", "{posted}");
        }
        let opened = door.ask_for(&staff.anchor, GUIDANCE, &open(town.ada, "LEARNING")).await;
        let learning = text(&opened["openTrajectory"]["trajectoryId"]);
        let opened = door.ask_for(&staff.nurse, GUIDANCE, &open(town.ada, "HEALTH")).await;
        let health = text(&opened["openTrajectory"]["trajectoryId"]);
        let assigned = assign(&learning, 1, &staff.psychologist, FROM_NOW);
        let assigned = door.ask_for(&staff.director, GUIDANCE, &assigned).await;
        assert_eq!(assigned["assignTeam"]["version"], 2, "{assigned}");
        let written = door
            .ask_for(&staff.anchor, GUIDANCE, &write(&learning, "", CANARIES[0]))
            .await;
        let entry = text(&written["writeEntry"]["entryId"]);
        let medical = write(&health, "medical: true", CANARIES[2]);
        let medical = door.ask_for(&staff.nurse, GUIDANCE, &medical).await;
        assert_eq!(medical["writeEntry"]["version"], 1, "{medical}");
        Self {
            staff,
            learning,
            health,
            entry,
        }
    }
}

/// The codes and texts of an answer, part by part: `SECRECY?` where one may ask, the texts or trajectories where granted.
pub(crate) fn told(dossier: &Value) -> Vec<String> {
    let part = |value: &Value| match value["__typename"].as_str().unwrap() {
        "Withheld" => {
            let ask = if value["canAsk"] == true { "?" } else { "" };
            format!("!{}{ask}", value["code"].as_str().unwrap())
        }
        "GrantedTrajectories" | "GrantedOwnTrajectories" => value["value"].as_array().unwrap().len().to_string(),
        _ => {
            let rows = value["value"].as_array().unwrap();
            let texts: Vec<&str> = rows.iter().map(|row| row["text"].as_str().unwrap()).collect();
            format!("[{}]", texts.join(" "))
        }
    };
    let domains = ["learning", "career", "health", "wellbeing"];
    let mut all: Vec<String> = domains
        .iter()
        .map(|domain| {
            format!(
                "{} {}",
                part(&dossier[domain]["trajectories"]),
                part(&dossier[domain]["entries"])
            )
        })
        .collect();
    all.push(part(&dossier["medical"]));
    all
}

/// Everything of a dossier is brought out, and each reader gets the fields that are theirs: written by hand from the
/// domain facts §3.5 and §4.
pub(crate) async fn brought_out(door: &mut Door<'_>) {
    brought_out_by(door).await;
}

/// The same; and by whom at the first CLB.
pub(crate) async fn brought_out_by(door: &mut Door<'_>) -> Staff {
    let guided = Guided::ada(door).await;
    let (staff, town) = (&guided.staff, door.town);
    // The rest of what there is to bring out: a place with an end, an obligation, what is closed and corrected.
    let leaves = assign(
        &guided.learning,
        2,
        &staff.pedagogue,
        "begins: \"2026-10-01\" ends: \"2026-12-01\"",
    );
    door.ask_for(&staff.director, GUIDANCE, &leaves).await;
    let obligatory = format!(
        "pupilId: \"{}\" domain: CAREER phase: BASIC_CARE askedBy: SCHOOL obligation: COMPULSORY_EDUCATION",
        town.ada
    );
    let opened = step(
        "openTrajectory",
        "TrajectoryStepped { trajectoryId version }",
        &obligatory,
    );
    let opened = door.ask_for(&staff.anchor, GUIDANCE, &opened).await;
    let career = opened["openTrajectory"]["trajectoryId"].as_str().unwrap().to_owned();
    let opened = door
        .ask_for(&staff.anchor, GUIDANCE, &open(town.ada, "WELLBEING"))
        .await;
    let wellbeing = opened["openTrajectory"]["trajectoryId"].as_str().unwrap().to_owned();
    for (trajectory, text) in [(&career, "of-career"), (&wellbeing, CANARIES[1])] {
        door.ask_for(&staff.anchor, GUIDANCE, &write(trajectory, "", text))
            .await;
    }
    door.ask_for(&staff.nurse, GUIDANCE, &write(&guided.health, "", "of-prevention"))
        .await;
    let corrected = correct(&guided.entry, 1, "corrected");
    let corrected = door.ask_for(&staff.psychologist, GUIDANCE, &corrected).await;
    assert_eq!(corrected["correctEntry"]["version"], 2, "{corrected}");
    let done = "TrajectoryStepped { trajectoryId version }";
    let close = format!("trajectoryId: \"{career}\" version: 1 phase: INCREASED_CARE close: true");
    let closed = door
        .ask_for(&staff.anchor, GUIDANCE, &step("moveTrajectory", done, &close))
        .await;
    assert_eq!(closed["moveTrajectory"]["version"], 2, "{closed}");
    for mutation in ["openTrajectory", "assignPost"] {
        // What cannot be right is told by its field, what is not allowed by that.
        let question = match mutation {
            "assignPost" => assign_post(&staff.pedagogue, town, "DOCTOR", FROM_NOW),
            _ => open(town.ada, "LEARNING"),
        };
        let by = if mutation == "assignPost" {
            &staff.director
        } else {
            &staff.pedagogue
        };
        let answer = door.ask_for(by, GUIDANCE, &question).await;
        let expected = match mutation {
            "assignPost" => json!({ "__typename": "Invalid", "field": "post" }),
            _ => json!({ "__typename": "NotPossible", "reason": "NOT_ALLOWED" }),
        };
        assert_eq!(answer[mutation], expected);
    }

    // Only at a school with which the CLB has an agreement.
    let elsewhere = assign_post(&staff.anchor, town, "ANCHOR", FROM_NOW)
        .replace(&town.north.id.to_string(), &town.south.id.to_string());
    let elsewhere = door.ask_for(&staff.director, GUIDANCE, &elsewhere).await;
    assert_eq!(
        elsewhere["assignPost"],
        json!({ "__typename": "NotPossible", "reason": "UNKNOWN" })
    );

    let ask = all_of(town.ada);
    let none = "!NOT_IN_TEAM? !NOT_IN_TEAM?";
    let other = "!OTHER_DISCIPLINE? !OTHER_DISCIPLINE?";
    let plan = "1 !SECRECY";
    let readers: [(&Actor, [&str; 5]); 8] = [
        (
            &staff.anchor,
            [
                "1 [corrected]",
                "1 [of-career]",
                other,
                "1 [canary-of-wellbeing]",
                "!OTHER_DISCIPLINE?",
            ],
        ),
        (
            &staff.psychologist,
            ["1 [corrected]", none, other, none, "!OTHER_DISCIPLINE?"],
        ),
        (
            &staff.pedagogue,
            ["1 [corrected]", none, other, none, "!OTHER_DISCIPLINE?"],
        ),
        (
            &staff.nurse,
            [none, none, "1 [of-prevention]", none, "[canary-of-health]"],
        ),
        (&staff.paramedic, [none, none, none, none, "!OTHER_DISCIPLINE?"]),
        (&staff.director, [plan, plan, plan, plan, "!SECRECY"]),
        (&staff.administration, [plan, plan, plan, plan, "!SECRECY"]),
        // Of before there were disciplines in this town: a worker without one fits nothing.
        (&town.viewers.first, [other, other, other, other, "!OTHER_DISCIPLINE?"]),
    ];
    for (reader, expected) in readers {
        let answer = door.ask_for(reader, GUIDANCE, &ask).await;
        assert_eq!(told(&answer["dossier"]), expected, "{reader:?}");
    }
    // Whole, as the anchor sees it.
    let answer = door.ask_for(&staff.anchor, GUIDANCE, &ask).await;
    let learning = &answer["dossier"]["learning"];
    let place = |worker: &Actor, ends: Value| json!({ "workerId": id_of(worker).to_string(), "begins": "2026-10-01", "ends": ends });
    assert_eq!(
        learning["trajectories"]["value"],
        json!([{
            "id": guided.learning, "domain": "LEARNING", "phase": "EXTENDED_CARE", "state": "OPEN", "askedBy": "PARENT",
            "obligation": null, "lapsedAt": null, "openedAt": AT, "closedAt": null, "version": 3, "team": learning["trajectories"]["value"][0]["team"],
        }])
    );
    let team = learning["trajectories"]["value"][0]["team"].as_array().unwrap();
    assert_eq!(team.len(), 3);
    for member in [
        place(&staff.anchor, Value::Null),
        place(&staff.psychologist, Value::Null),
        place(&staff.pedagogue, json!("2026-12-01")),
    ] {
        assert!(team.contains(&member), "{member} {team:?}");
    }
    assert_eq!(
        learning["entries"]["value"],
        json!([{
            "id": guided.entry, "trajectoryId": guided.learning, "about": "CONTEXT", "closed": ["COURT", "AGOGIC"],
            "authorId": id_of(&staff.psychologist).to_string(), "writtenAt": AT, "version": 2, "ownWordsOf": null, "addsTo": null,
            "text": "corrected",
        }])
    );
    let career = &answer["dossier"]["career"]["trajectories"]["value"][0];
    assert_eq!(
        (
            &career["obligation"],
            &career["state"],
            &career["closedAt"],
            &career["phase"]
        ),
        (
            &json!("COMPULSORY_EDUCATION"),
            &json!("CLOSED"),
            &json!(AT),
            &json!("INCREASED_CARE")
        )
    );

    // The same question for no purpose, or behind a weak sign-in, tells what is missing.
    let no_purpose = town.ask_for(&staff.anchor, None, true, &ask).await;
    assert_eq!(told(&no_purpose["dossier"])[0], "!NEEDS_PURPOSE !NEEDS_PURPOSE");
    let weak = town.ask_for(&staff.anchor, GUIDANCE, false, &ask).await;
    assert_eq!(told(&weak["dossier"])[0], "!NEEDS_STEP_UP !NEEDS_STEP_UP");
    let career = career["id"].as_str().unwrap();
    rights::brought_out(door, &guided, &[career]).await;
    corrections::brought_out(door, &guided).await;
    exports::brought_out(door, &guided).await;
    consents::brought_out(door, &guided).await;
    referrals::brought_out(door, &guided).await;
    releases::brought_out(door, &guided).await;
    asking::brought_out(door, &guided).await;
    emergencies::brought_out(door, &guided).await;
    parents_log::brought_out(door, &guided).await;
    holds::brought_out(door, &guided).await;
    log::brought_out(door).await;
    crate::intents::brought_out(door, staff).await;
    crate::guidance::brought_out(door, staff).await;
    guided.staff
}

// Corrections keep the former version, and nothing is silently overwritten.
both_databases!(a_correction_overwrites_nothing, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let guided = Guided::ada(&mut door).await;
    let staff = &guided.staff;
    let stale = json!({ "__typename": "Conflict", "version": 2 });
    let first = door
        .ask_for(&staff.psychologist, GUIDANCE, &correct(&guided.entry, 1, "second"))
        .await;
    assert_eq!(first["correctEntry"]["version"], 2);
    let late = door
        .ask_for(&staff.anchor, GUIDANCE, &correct(&guided.entry, 1, "lost"))
        .await;
    assert_eq!(late["correctEntry"], stale);
    let assigned = assign(&guided.learning, 1, &staff.pedagogue, FROM_NOW);
    let late = door.ask_for(&staff.director, GUIDANCE, &assigned).await;
    assert_eq!(late["assignTeam"], stale);
    let look = database.look_apart().await;
    let versions =
        "select x.version from entry_text x join entry e on e.id = x.entry_id where not e.medical order by x.version";
    assert_eq!(list::<i32>(&look, versions).await, [1, 2]);
    // Who was taken out of the team reads no more, and that they were in it stays.
    let out = assign(
        &guided.learning,
        2,
        &staff.psychologist,
        "begins: \"2026-10-01\" ends: \"2026-10-01\"",
    );
    door.ask_for(&staff.director, GUIDANCE, &out).await;
    let answer = town
        .ask_for(&staff.psychologist, GUIDANCE, true, &all_of(town.ada))
        .await;
    assert_eq!(told(&answer["dossier"])[0], "!NOT_IN_TEAM? !NOT_IN_TEAM?");
    assert_eq!(number(&look, "select count(*) from team_member").await, 3);
    // A worker of another CLB, the director herself, nobody: none of them can be put in a team.
    for nobody in [&town.viewers.second, &staff.director] {
        let answer = door
            .ask_for(
                &staff.director,
                GUIDANCE,
                &assign(&guided.learning, 3, nobody, FROM_NOW),
            )
            .await;
        assert_eq!(
            answer["assignTeam"],
            json!({ "__typename": "Invalid", "field": "workerId" })
        );
    }
    look.close().await.unwrap();
});
