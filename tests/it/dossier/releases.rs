//! Releases to the school (vrijgave, class `shared`): under consent, for a purpose, until a day; read by the care team of the
//! school behind a line of the log, from a copy that goes as soon as it is taken back (design §3; domain facts §3.4).

use clb_hub::store::roster::PupilSaid;
use hub_entities::id::PupilId;
use hub_entities::operation::{Actor, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use super::leaks::cost;
use super::{AT, GUIDANCE, Guided, id_of, step};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, meddle, number};
use crate::support::town::Town;
use crate::support::world::{at, born, day};

pub(super) mod crossing;
mod racing;
mod readers;
mod whose;

/// What the school is told, and for what: in its copy and in the dossier, and nowhere in the open.
pub(super) const RELEASED: [&str; 3] = ["canary-of-a-title", "canary-of-an-advice", "canary-of-an-aim"];

const NOTED: &str = "ReleaseNoted { releaseId version }";

/// All there is to read of releases in a dossier.
const IN_THE_DOSSIER: &str =
    "releases { __typename ... on Withheld { code canAsk decisionId } ... on GrantedSchoolReleases {
    value { id trajectoryId schoolId health title advice purpose authorId releasedAt endsOn over overAt version } } }";

/// All there is to read of them at a school.
const AT_SCHOOL: &str = "__typename ... on WithheldReleases { code } ... on GrantedReleases { value { totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { id pupilId clbId title advice purpose releasedAt endsOn } } } }";

/// What is released to north in a trajectory, in these words.
pub(super) fn release(town: &Town, trajectory: &str, words: [&str; 3], more: &str) -> String {
    let [title, advice, purpose] = words;
    let said = format!("title: \"{title}\" advice: \"{advice}\" purpose: \"{purpose}\"");
    let ends = if more.contains("endsOn") {
        ""
    } else {
        "endsOn: \"2026-12-01\""
    };
    let to = if more.contains("schoolId") {
        String::new()
    } else {
        format!("schoolId: \"{}\"", town.north.id)
    };
    let input = format!("trajectoryId: \"{trajectory}\" {to} {said} {ends} {more}");
    step("releaseToSchool", NOTED, &input)
}

pub(super) fn revoke(release: &str, version: i32) -> String {
    let input = format!("releaseId: \"{release}\" version: {version}");
    step("revokeRelease", NOTED, &input)
}

/// An answer about telling the school.
fn answered(trajectory: &str, answer: &str) -> String {
    let input = format!("trajectoryId: \"{trajectory}\" answer: {{ {answer} }}");
    step("recordConsent", "ConsentNoted { consentId version }", &input)
}

const YES: &str = "to: SHARING by: PUPIL form: NOTED reply: GIVEN givenOn: \"2026-10-01\"";

async fn care_team(town: &Town) -> Actor {
    town.world
        .someone(Role::SchoolCareTeam, Some(town.north.id), None)
        .await
}

/// What a school is told now.
async fn told(town: &Town, by: &Actor, arguments: &str) -> Value {
    let question = format!("{{ releases(first: 9 {arguments}) {{ {AT_SCHOOL} }} }}");
    town.ask(by, &question).await["releases"].take()
}

/// The titles that a school reads, the latest first.
async fn titles(town: &Town, by: &Actor) -> Vec<String> {
    let told = told(town, by, "").await;
    let edges = told["value"]["edges"].as_array().unwrap_or_else(|| panic!("{told}"));
    edges
        .iter()
        .map(|edge| edge["node"]["title"].as_str().unwrap().to_owned())
        .collect()
}

/// What the team reads of releases: title, why it is over.
async fn listed(town: &Town, by: &Actor) -> Vec<(String, String)> {
    let question = format!("{{ dossier(pupilId: \"{}\") {{ {IN_THE_DOSSIER} }} }}", town.ada);
    let answer = town.ask_for(by, GUIDANCE, true, &question).await;
    let all = answer["dossier"]["releases"]["value"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    all.iter()
        .map(|one| (text(&one["title"]), text(&one["over"])))
        .collect()
}

/// Releases in the learning of Ada, in these words; its id.
async fn made(town: &Town, guided: &Guided, words: [&str; 3], more: &str) -> String {
    let question = release(town, &guided.learning, words, more);
    let answer = town
        .ask_for(&guided.staff.psychologist, GUIDANCE, true, &question)
        .await;
    let noted = &answer["releaseToSchool"];
    assert_eq!(
        (&noted["__typename"], &noted["version"]),
        (&json!("ReleaseNoted"), &json!(1)),
        "{answer}"
    );
    noted["releaseId"].as_str().unwrap().to_owned()
}

/// The pupil consents to telling the school; the id of that consent.
async fn consented(town: &Town, guided: &Guided, answer: &str) -> String {
    let question = answered(&guided.learning, answer);
    let noted = town
        .ask_for(&guided.staff.psychologist, GUIDANCE, true, &question)
        .await;
    noted["recordConsent"]["consentId"]
        .as_str()
        .unwrap_or_else(|| panic!("{noted}"))
        .to_owned()
}

/// Ada is guided, and consents to telling the school.
async fn guided(town: &Town) -> (Guided, String) {
    let mut door = Door::new(town, &[]);
    let guided = Guided::ada(&mut door).await;
    let consent = consented(town, &guided, YES).await;
    (guided, consent)
}

/// A release that the school reads, and one that was taken back.
pub(super) async fn noted(door: &mut Door<'_>, guided: &Guided) -> [String; 2] {
    let by = &guided.staff.psychologist;
    door.ask_for(by, GUIDANCE, &answered(&guided.learning, YES)).await;
    let mut ids = Vec::new();
    for words in [RELEASED, ["taken back", "advice", "purpose"]] {
        let question = release(door.town, &guided.learning, words, "");
        let made = door.ask_for(by, GUIDANCE, &question).await;
        assert_eq!(made["releaseToSchool"]["version"], 1, "{made}");
        ids.push(made["releaseToSchool"]["releaseId"].as_str().unwrap().to_owned());
    }
    let revoked = door.ask_for(by, GUIDANCE, &revoke(&ids[1], 1)).await;
    assert_eq!(revoked["revokeRelease"]["version"], 2, "{revoked}");
    // One comes; the other never set out, and is taken back all the same.
    assert_eq!(door.town.applier().await.round().await.unwrap(), 2);
    ids.try_into().unwrap()
}

/// Everything of releases is brought out, in the dossier and at the school.
pub(super) async fn brought_out(door: &mut Door<'_>, guided: &Guided) {
    let (town, by) = (door.town, &guided.staff.psychologist);
    let [shown, taken] = noted(door, guided).await;
    let question = format!("{{ dossier(pupilId: \"{}\") {{ {IN_THE_DOSSIER} }} }}", town.ada);
    let answer = door.ask_for(by, GUIDANCE, &question).await;
    let mut expected = Vec::new();
    for (id, [title, advice, purpose], over, version) in [
        (&shown, RELEASED, (Value::Null, Value::Null), 1),
        (
            &taken,
            ["taken back", "advice", "purpose"],
            (json!("REVOKED"), json!(AT)),
            2,
        ),
    ] {
        expected.push(json!({
            "id": id, "trajectoryId": guided.learning, "schoolId": town.north.id.to_string(), "health": false,
            "title": title, "advice": advice, "purpose": purpose, "authorId": id_of(by).to_string(), "releasedAt": AT,
            "endsOn": "2026-12-01", "over": over.0, "overAt": over.1, "version": version,
        }));
    }
    assert_eq!(answer["dossier"]["releases"]["value"], json!(expected));
    let at_school = format!("{{ releases(first: 9) {{ {AT_SCHOOL} }} }}");
    let care = care_team(town).await;
    let answer = door.ask(&care, &at_school).await;
    assert_eq!(
        answer["releases"],
        json!({ "__typename": "GrantedReleases", "value": {
            "totalCount": 1, "pageInfo": { "hasNextPage": false, "hasPreviousPage": false },
            "edges": [{ "node": {
                "id": shown, "pupilId": town.ada.to_string(), "clbId": town.first.to_string(), "title": RELEASED[0],
                "advice": RELEASED[1], "purpose": RELEASED[2], "releasedAt": AT, "endsOn": "2026-12-01",
            } }],
        } })
    );
    let answer = door.ask(&town.viewers.north_manager, &at_school).await;
    assert_eq!(
        answer["releases"],
        json!({ "__typename": "WithheldReleases", "code": "SECRECY" })
    );
}

// Design §3, class shared: its care team, and nobody else of a school; a no tells nothing; who serves a school asks nothing
// of the secrecy store; and each look is a line.
both_databases!(
    the_care_team_reads_what_was_released,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let (guided, _) = guided(&town).await;
        let care = care_team(&town).await;
        let look = &town.world.look;
        let empty = told(&town, &care, "").await;
        assert_eq!(
            (&empty["value"]["totalCount"], &empty["value"]["edges"]),
            (&json!(0), &json!([]))
        );
        for title in ["one", "two", "three"] {
            made(&town, &guided, [title, "advice", "purpose"], "").await;
        }
        assert_eq!(
            told(&town, &care, "").await,
            empty,
            "not before the main store has followed"
        );
        assert_eq!(town.applier().await.round().await.unwrap(), 3);
        assert_eq!(town.applier().await.round().await.unwrap(), 0);

        let before = town.apart.statements();
        let mut all = titles(&town, &care).await;
        assert_eq!(
            town.apart.statements(),
            before,
            "who serves a school asks nothing of the secrecy store"
        );
        all.sort_unstable();
        assert_eq!(all, ["one", "three", "two"]);
        // In pages, each once.
        let (mut walked, mut after) = (Vec::new(), String::new());
        for more in [true, false] {
            let question = format!("{{ releases(first: 2 {after}) {{ {AT_SCHOOL} }} }}");
            let page = town.ask(&care, &question).await["releases"]["value"].take();
            assert_eq!(
                (&page["totalCount"], &page["pageInfo"]["hasNextPage"]),
                (&json!(3), &json!(more))
            );
            let edges = page["edges"].as_array().unwrap();
            walked.extend(
                edges
                    .iter()
                    .map(|edge| edge["node"]["title"].as_str().unwrap().to_owned()),
            );
            after = format!("after: {}", page["pageInfo"]["endCursor"]);
        }
        walked.sort_unstable();
        assert_eq!(walked, all);

        // Of another pupil of the school nothing, of a foreign one and of nobody the same nothing, at the same cost.
        let about = |pupil: PupilId| format!("{{ releases(first: 9 pupilId: \"{pupil}\") {{ {AT_SCHOOL} }} }}");
        assert_eq!(
            told(&town, &care, &format!("pupilId: \"{}\"", town.ada)).await["value"]["totalCount"],
            3
        );
        let of_bo = cost(&town, &care, &about(town.bo)).await;
        for other in [town.dre, PupilId(Uuid::from_u128(7))] {
            assert_eq!(cost(&town, &care, &about(other)).await, of_bo);
        }
        let elsewhere = town
            .world
            .someone(Role::SchoolCareTeam, Some(town.south.id), None)
            .await;
        let nothing = told(&town, &elsewhere, "").await;
        assert_eq!(
            (&nothing["value"]["totalCount"], &nothing["value"]["edges"]),
            (&json!(0), &json!([]))
        );
        // Whoever it is not for is told so, whatever there is.
        let withheld = json!({ "__typename": "WithheldReleases", "code": "SECRECY" });
        let elsewhere_manager = town
            .world
            .someone(Role::SchoolDataManager, Some(town.south.id), None)
            .await;
        for other in [&town.viewers.north_manager, &town.viewers.north, &elsewhere_manager] {
            assert_eq!(told(&town, other, "").await, withheld, "{other:?}");
        }
        // A CLB has no such root: the whole request is refused.
        let question = format!("{{ releases(first: 9) {{ {AT_SCHOOL} }} }}");
        let answer = town.answer(&guided.staff.psychologist, &question).await;
        assert!(answer["data"].is_null() && answer["errors"][0].is_object(), "{answer}");

        // Each look is a line: of whom, by which rule, which releases; and that it was withheld.
        meddle(look, "delete from access_line").await;
        titles(&town, &care).await;
        told(&town, &town.viewers.north_manager, "").await;
        let lines: Vec<Value> = list(look, "select shared from access_line order by role").await;
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0]["granted"], "school-reads-releases");
        assert_eq!(lines[0]["releases"].as_array().unwrap().len(), 3, "{lines:?}");
        assert_eq!(lines[1], json!({ "withheld": "SECRECY" }));
        let of: Vec<Value> = list(
            look,
            "select pupil_ids from access_line where role = 'school_care_team'",
        )
        .await;
        assert_eq!(of, [json!([town.ada.to_string()])]);
        assert_eq!(
            number(look, "select count(*) from access_line where categories <> 0").await,
            0
        );
    }
);

// R04: no line, no copy: whether it cannot be written, or cannot be committed.
both_databases!(
    a_school_reads_nothing_without_a_line,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let (guided, _) = guided(&town).await;
        let care = care_team(&town).await;
        made(&town, &guided, RELEASED, "").await;
        town.applier().await.round().await.unwrap();
        let question = format!("{{ releases(first: 9) {{ {AT_SCHOOL} }} }}");
        let look = &town.world.look;
        let nothing = async |why: &str| {
            let answer = town.answer(&care, &question).await;
            assert!(answer["data"].is_null(), "{why}");
            assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{why}");
        };
        meddle(look, "alter table access_line rename to access_line_gone").await;
        nothing("not written").await;
        meddle(look, "alter table access_line_gone rename to access_line").await;
        // At the commit, and not before: the line and the copy were read by then.
        if database.backend == Backend::Sqlite {
            meddle(look, "create table nobody (id integer primary key)").await;
            meddle(
                look,
                "create table due (id integer references nobody deferrable initially deferred)",
            )
            .await;
            let trigger = "create trigger fails after insert on access_line begin insert into due values (1); end";
            meddle(look, trigger).await;
        } else {
            let function =
                "create function fails() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$";
            meddle(look, function).await;
            let trigger = "create constraint trigger fails after insert on access_line deferrable initially deferred
             for each row execute function fails()";
            meddle(look, trigger).await;
        }
        nothing("not committed").await;
        let drop = if database.backend == Backend::Sqlite {
            "drop trigger fails"
        } else {
            "drop trigger fails on access_line"
        };
        meddle(look, drop).await;
        assert_eq!(titles(&town, &care).await, [RELEASED[0]], "the control");
    }
);

// Domain facts §3.4: with consent of who decides, for health data in writing; a release never outlives it.
both_databases!(a_release_needs_consent, async |database: &TestDatabase| {
    let mut town = Town::new(database).await;
    let guided = {
        let mut door = Door::new(&town, &[]);
        Guided::ada(&mut door).await
    };
    let (staff, by) = (&guided.staff, &guided.staff.psychologist);
    let words = ["title", "advice", "purpose"];
    let answer = async |town: &Town, who: &Actor, trajectory: &str, more: &str| {
        let question = release(town, trajectory, words, more);
        town.ask_for(who, GUIDANCE, true, &question).await["releaseToSchool"].take()
    };
    let not_now = json!({ "__typename": "NotPossible", "reason": "STATE" });
    let unknown = json!({ "__typename": "NotPossible", "reason": "UNKNOWN" });
    assert_eq!(
        answer(&town, by, &guided.learning, "").await,
        not_now,
        "nobody was asked"
    );
    // Of fourteen the pupil decides; to guidance, by a parent, and no, are no yes to this; nor does a yes of the same day
    // undo the no.
    for other in [
        YES.replace("SHARING", "GUIDANCE"),
        YES.replace("PUPIL", "PARENT"),
        YES.replace("SHARING", "SHARING_HEALTH"),
        YES.replace("GIVEN ", "REFUSED "),
        YES.to_owned(),
    ] {
        consented(&town, &guided, &other).await;
        assert_eq!(answer(&town, by, &guided.learning, "").await, not_now, "{other}");
    }
    // One for a time covers that time.
    town.world.now = at("2026-10-02T10:00:00Z");
    let town = &town;
    let noted = YES.replace("2026-10-01", "2026-10-02");
    consented(town, &guided, &format!("{noted} endsOn: \"2026-11-01\"")).await;
    let longer = answer(town, by, &guided.learning, "endsOn: \"2026-11-02\"").await;
    assert_eq!(longer, not_now, "it outlives the consent");
    let covered = answer(town, by, &guided.learning, "endsOn: \"2026-11-01\"").await;
    assert_eq!(covered["version"], 1, "{covered}");

    // Health data: in writing, and by who may write them.
    let health = "health: true endsOn: \"2026-11-01\"";
    let not_allowed = json!({ "__typename": "NotPossible", "reason": "NOT_ALLOWED" });
    assert_eq!(answer(town, by, &guided.learning, health).await, not_allowed);
    for (consent, expected) in [
        (noted.clone(), &not_now),
        (noted.replace("SHARING", "SHARING_HEALTH"), &not_now),
        (
            noted.replace("SHARING", "SHARING_HEALTH").replace("NOTED", "WRITTEN"),
            &Value::Null,
        ),
    ] {
        let question = answered(&guided.health, &consent);
        let asked = town.ask_for(&staff.nurse, GUIDANCE, true, &question).await;
        assert_eq!(asked["recordConsent"]["version"], 1, "{asked}");
        let told = answer(town, &staff.nurse, &guided.health, "").await;
        if expected.is_null() {
            assert_eq!(told["version"], 1, "{told}");
        } else {
            assert_eq!(told, *expected, "{consent}");
        }
    }

    // By the team of that trajectory alone; nobody else is told whether it is there.
    for stranger in [&staff.pedagogue, &staff.nurse, &staff.director, &town.viewers.second] {
        assert_eq!(
            answer(town, stranger, &guided.learning, "").await,
            unknown,
            "{stranger:?}"
        );
    }
    // To a school that has the pupil, and that has an agreement with the CLB: of all others the same is heard.
    let made_up = format!("sch_{}", "0".repeat(32));
    for other in [town.east.id.to_string(), town.south.id.to_string(), made_up] {
        let told = answer(
            town,
            by,
            &guided.learning,
            &format!("schoolId: \"{other}\" endsOn: \"2026-11-01\""),
        )
        .await;
        assert_eq!(told, json!({ "__typename": "Invalid", "field": "schoolId" }), "{other}");
    }
    for (ends, field) in [("2026-10-02", "endsOn"), ("2027-10-04", "endsOn")] {
        let told = answer(town, by, &guided.learning, &format!("endsOn: \"{ends}\"")).await;
        assert_eq!(told, json!({ "__typename": "Invalid", "field": field }), "{ends}");
    }
    for (blank, field) in [(0, "title"), (1, "advice"), (2, "purpose")] {
        let mut words = words;
        words[blank] = " ";
        let told = town
            .ask_for(by, GUIDANCE, true, &release(town, &guided.learning, words, ""))
            .await;
        assert_eq!(
            told["releaseToSchool"],
            json!({ "__typename": "Invalid", "field": field })
        );
    }
    let apart = database.look_apart().await;
    assert_eq!(number(&apart, "select count(*) from school_release").await, 2);
    // Each is in the log of the CLB, those that were refused too.
    let granted = "select granted from access_line where action = 'release' and granted <> '' order by granted";
    let granted: Vec<String> = list(&apart, granted).await;
    assert!(granted.contains(&"secret.learning=team".to_owned()), "{granted:?}");
    let refused = "select count(*) from access_line where action = 'release' and withheld like 'secret.medical=%'";
    assert_eq!(number(&apart, refused).await, 1);
    apart.close().await.unwrap();
});

/// What of copies lies in the main store: whether it is still there, in the order in which they came.
async fn kept(town: &Town) -> Vec<String> {
    let text = "select case when sealed is null and wrapped is null and pupil_id is null and school_id is null and text_key is null
         and gone_at is not null then 'gone' when sealed is not null and gone_at is null then 'there' else 'half' end
         from released order by released_at, id";
    list(&town.world.look, text).await
}

// Taken back, or resting on consent no longer: the school reads it no longer, and the copy is gone.
both_databases!(
    what_is_taken_back_is_hidden_and_gone,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let (guided, consent) = guided(&town).await;
        let by = &guided.staff.psychologist;
        let care = care_team(&town).await;
        let none = Vec::<String>::new();
        let words = |title| [title, "advice", "purpose"];
        // Taken back by the team.
        let id = made(&town, &guided, words("revoked"), "").await;
        town.applier().await.round().await.unwrap();
        assert_eq!(titles(&town, &care).await, ["revoked"]);
        town.ask_for(by, GUIDANCE, true, &revoke(&id, 1)).await;
        assert_eq!(town.applier().await.round().await.unwrap(), 1);
        assert_eq!(
            (titles(&town, &care).await, kept(&town).await),
            (none.clone(), vec!["gone".to_owned()])
        );

        // Its consent was taken back: in the same transaction.
        made(&town, &guided, words("consent"), "").await;
        town.applier().await.round().await.unwrap();
        assert_eq!(titles(&town, &care).await, ["consent"]);
        let input = format!("consentId: \"{consent}\" version: 1 on: \"2026-10-01\"");
        let withdraw = step("withdrawConsent", "ConsentNoted { consentId version }", &input);
        town.ask_for(by, GUIDANCE, true, &withdraw).await;
        town.applier().await.round().await.unwrap();
        assert_eq!(titles(&town, &care).await, none);
        // By who decides now: a team that decides otherwise changes who that is.
        consented(&town, &guided, YES).await;
        made(&town, &guided, words("judged"), "").await;
        town.applier().await.round().await.unwrap();
        assert_eq!(titles(&town, &care).await, ["judged"]);
        let judge = |capability: &str| {
            let input = format!(
                "trajectoryId: \"{}\" capability: {capability} reason: \"why\"",
                guided.learning
            );
            step("judgeCapability", "TrajectoryStepped { trajectoryId version }", &input)
        };
        town.ask_for(by, GUIDANCE, true, &judge("NOT_CAPABLE")).await;
        town.applier().await.round().await.unwrap();
        assert_eq!(titles(&town, &care).await, none);
        town.ask_for(by, GUIDANCE, true, &judge("CAPABLE")).await;
        // A no that follows the yes.
        made(&town, &guided, words("refused"), "").await;
        town.applier().await.round().await.unwrap();
        assert_eq!(titles(&town, &care).await, ["refused"]);
        consented(&town, &guided, &YES.replace("GIVEN ", "REFUSED ")).await;
        town.applier().await.round().await.unwrap();
        assert_eq!(
            (titles(&town, &care).await, kept(&town).await),
            (none.clone(), vec!["gone".to_owned(); 4])
        );

        let apart = database.look_apart().await;
        let over = "select over_for from school_release order by over_for";
        let over: Vec<String> = list(&apart, over).await;
        assert_eq!(over, ["consent", "consent", "consent", "revoked"]);
        apart.close().await.unwrap();
    }
);

// The end, the pupil's leaving, a CLB that is competent no longer: hidden at once, and the copy goes.
both_databases!(what_is_over_is_hidden_and_gone, async |database: &TestDatabase| {
    let mut town = Town::new(database).await;
    let (guided, _) = guided(&town).await;
    let care = care_team(&town).await;
    let none = Vec::<String>::new();
    let words = |title| [title, "advice", "purpose"];
    // The end: at once on the day, whoever looks first; then the copy goes.
    town.world.now = at("2026-10-02T10:00:00Z");
    made(&town, &guided, words("ended"), "endsOn: \"2026-10-05\"").await;
    made(&town, &guided, words("left"), "").await;
    town.applier().await.round().await.unwrap();
    town.world.now = at("2026-10-04T21:59:59Z");
    assert_eq!(titles(&town, &care).await.len(), 2);
    // Midnight in Brussels.
    town.world.now = at("2026-10-04T22:00:00Z");
    assert_eq!(
        (titles(&town, &care).await, kept(&town).await.len()),
        (vec!["left".to_owned()], 2)
    );
    assert_eq!(town.applier().await.round().await.unwrap(), 1);
    assert_eq!(kept(&town).await.iter().filter(|one| *one == "there").count(), 1);

    // A CLB that is competent no longer can take nothing back: meanwhile nothing is shown.
    let look = &town.world.look;
    meddle(look, "update competence set ends_on = '2026-10-02'").await;
    assert_eq!(titles(&town, &care).await, none);
    meddle(look, "update competence set ends_on = null").await;
    assert_eq!(titles(&town, &care).await, ["left"]);
    // The pupil leaves: hidden by that, and gone with the next round.
    let left = PupilSaid {
        ends_on: Some(day("2026-10-04")),
        ..born("2012-05-01")
    };
    town.world.roster(town.north, &[("ada", left)]).await;
    let told = told(&town, &care, "").await;
    assert_eq!(
        (&told["value"]["totalCount"], &told["value"]["edges"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(kept(&town).await.iter().filter(|one| *one == "there").count(), 1);
    assert_eq!(town.applier().await.round().await.unwrap(), 1);
    assert_eq!(kept(&town).await, vec!["gone"; 2]);
    assert_eq!(town.applier().await.round().await.unwrap(), 0);
    // What was told stays in the dossier, with why it is over.
    let apart = database.look_apart().await;
    let over = "select over_for from school_release order by over_for";
    assert_eq!(list::<String>(&apart, over).await, ["ended", "left"]);
    let lines = "select granted from access_line where action = 'release_over' order by granted";
    assert_eq!(list::<String>(&apart, lines).await, ["shared=ended", "shared=left"]);
    apart.close().await.unwrap();
});
