//! What was decided is decided again on what the access log keeps of it: alike by the policy that decided it, and otherwise, and
//! told so, by another one.

use clb_hub::custody::Custody;
use clb_hub::custody::replay::{Change, Replayed, Ruled};
use hub_entities::id::PupilId;
use hub_entities::policy::secret::{RULES, Rule};
use uuid::Uuid;

use super::events::configured;
use super::{GUIDANCE, Guided, Staff};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, meddle, number};
use crate::support::town::Town;
use crate::support::world::at;

/// What these rules make of the first of October.
async fn replay(town: &Town, rules: &[Rule]) -> Replayed {
    let custody = Custody::open(&town.world.db, &town.apart, town.world.now)
        .await
        .unwrap();
    let span = (at("2026-09-30T22:00:00Z"), at("2026-10-01T22:00:00Z"));
    custody.replay(span, rules, &*town.world.ids).await.unwrap()
}

fn without(name: &str) -> Vec<Rule> {
    assert!(RULES.iter().any(|rule| rule.name == name));
    RULES.iter().copied().filter(|rule| rule.name != name).collect()
}

fn entries(pupil: PupilId) -> String {
    format!("{{ dossier(pupilId: \"{pupil}\") {{ learning {{ entries {{ __typename }} }} }} }}")
}

async fn guided(town: &Town) -> Staff {
    let mut door = Door::new(town, &[]);
    Guided::ada(&mut door).await.staff
}

both_databases!(
    whatever_was_decided_is_decided_alike_again,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let mut door = Door::new(&town, &[]);
        crate::dossier::brought_out(&mut door).await;
        let look = database.look_apart().await;
        // Without facts is only what the hub followed by itself: the main store decided it.
        let silent = "select distinct granted from access_line where facts = '' and granted <> '' order by granted";
        let followed = [
            "case=anyone-may-ask-for-guidance",
            "secret.wellbeing=accepted-signal",
            "secret.wellbeing=withdrawn-signal",
        ];
        assert_eq!(list::<String>(&look, silent).await, followed);
        let lines = number(&look, "select count(*) from access_line where facts <> ''").await;
        let replayed = replay(&town, RULES).await;
        assert_eq!(
            (&replayed.changes, replayed.unreadable),
            (&std::collections::BTreeMap::new(), 0)
        );
        assert!(lines > 50 && replayed.verdicts > 200, "{lines} {replayed:?}");
        // It was written first into each log that it read.
        let noted = "select count(*) from access_line where action = 'replay' and role = 'operator'";
        assert_eq!(number(&look, noted).await, 2);
    }
);

both_databases!(
    a_policy_that_would_open_more_is_told,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let staff = guided(&town).await;
        let ask = entries(town.ada);
        town.ask_for(&staff.psychologist, GUIDANCE, true, &ask).await;
        town.ask_for(&staff.psychologist, None, true, &ask).await;
        town.ask_for(&staff.psychologist, GUIDANCE, false, &ask).await;
        let asked = "read secret.learning/entries";
        let change = |before: &Ruled, after: &Ruled| Change {
            asked: asked.to_owned(),
            before: before.clone(),
            after: after.clone(),
        };
        let team = Ruled::Granted("team".to_owned());
        let withheld = |code: &str| Ruled::Withheld(code.to_owned());
        for (rule, code) in [("purpose", "NEEDS_PURPOSE"), ("step-up", "NEEDS_STEP_UP")] {
            let replayed = replay(&town, &without(rule)).await;
            let found: Vec<(Change, u64)> = replayed
                .changes
                .into_iter()
                .filter(|(one, _)| one.asked == asked)
                .collect();
            assert_eq!(found, [(change(&withheld(code), &team), 1)], "without {rule}");
            assert_eq!(found[0].0.opens(), Some("team"));
        }
        // What would be closed, by all who had it.
        let replayed = replay(&town, &without("team")).await;
        let closed = change(&team, &withheld("SECRECY"));
        assert_eq!(replayed.changes.get(&closed), Some(&1));
        assert!(replayed.changes.keys().all(|one| one.opens().is_none()), "{replayed:?}");
    }
);

// R11: of a pupil of others the line keeps no more than of nobody.
both_databases!(
    a_line_knows_nothing_of_who_is_not_ours,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let staff = guided(&town).await;
        let look = database.look_apart().await;
        for pupil in [town.dre, PupilId(Uuid::from_u128(7))] {
            town.answer_for(&staff.nurse, GUIDANCE, true, &entries(pupil)).await;
        }
        let facts = "select facts from access_line where withheld = 'secret.learning/entries=nothing'";
        let same = "decides=unknown discipline=nurse".to_owned();
        assert_eq!(list::<String>(&look, facts).await, [same.clone(), same]);
        town.answer_for(&staff.nurse, GUIDANCE, true, &entries(town.ada)).await;
        let facts = "select facts from access_line where action = 'read' and withheld like '%NOT_IN_TEAM'";
        let of_ada = "decides=pupil discipline=nurse competent post=nurse place=health";
        assert_eq!(list::<String>(&look, facts).await, [of_ada]);
    }
);

// The binary: a past that another policy decided.
both_databases!(
    what_was_denied_opens_only_when_it_is_accepted,
    async |database: &TestDatabase| {
        let town = Town::new(database).await;
        let staff = guided(&town).await;
        town.ask_for(&staff.psychologist, GUIDANCE, true, &entries(town.ada))
            .await;
        let folder = configured(database);
        let replay = |more: &[&str]| {
            let fixed = [
                "policy",
                "replay",
                "--from",
                "2026-10-01",
                "--until",
                "2026-10-02",
                "--config",
                "clb-hub.toml",
            ];
            let output = folder.output(&[&fixed[..], more].concat());
            let told = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8(told).unwrap())
        };
        let (alike, told) = replay(&[]);
        assert!(
            alike && told.contains("verdicts decided again, 0 of them otherwise"),
            "{told}"
        );

        let look = database.look_apart().await;
        let denied = "update access_line set granted = '', withheld = 'secret.learning/entries=NOT_IN_TEAM'
         where granted = 'secret.learning/entries=team'";
        assert_eq!(meddle(&look, denied).await, 1);
        let opens = "DENY→ALLOW read secret.learning/entries: withheld NOT_IN_TEAM → granted by team: 1\n";
        for (more, passes) in [
            (&[][..], false),
            (&["--accept-allow", "lent"], false),
            (&["--accept-allow", "lent", "--accept-allow", "team"], true),
        ] {
            let (passed, told) = replay(more);
            assert!(
                told.starts_with(opens) && told.contains("1 of them otherwise"),
                "{told}"
            );
            assert_eq!(passed, passes, "{more:?}");
        }
        let (passed, told) = replay(&["--accept-allow", "everything"]);
        assert!(!passed && told.contains("no rule is called everything"), "{told}");

        // What this version cannot read is said to be so, and nothing is said of it.
        meddle(
            &look,
            "update access_line set facts = facts || ' of-tomorrow' where facts <> ''",
        )
        .await;
        let (passed, told) = replay(&[]);
        assert!(
            passed && told.contains("0 verdicts decided again") && told.contains(", 6 cannot be read"),
            "{told}"
        );
    }
);
