//! What is asked of a dossier is what the question says, however it says it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use hub_entities::operation::Role;
use hub_entities::policy::secret::{Class, Field, Part};
use hub_graphql::dossier::AskedFor;

use crate::fake::{Fake, ask, over, viewer};

/// What is asked of the dossier by this.
async fn asked_by(of_dossier: &str, fragments: &str) -> AskedFor {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&seen);
    let (schemas, _) = over(Fake {
        dossiers: Some(Box::new(move |_, _, asked_for| {
            asked.lock().unwrap().push(asked_for.clone());
            HashMap::new()
        })),
        ..Fake::default()
    });
    let text =
        format!("{{ dossier(pupilId: \"pup_00000000000000000000000000000001\") {{ {of_dossier} }} }} {fragments}");
    let answer = ask(&schemas, viewer(1, Role::ClbWorker), &text).await;
    assert!(answer.errors.is_empty(), "{:?}", answer.errors);
    let mut seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    seen.remove(0)
}

fn fields(of: &[(Class, Part)]) -> Vec<Field> {
    of.iter()
        .map(|(class, part)| Field::new(*class, *part).unwrap())
        .collect()
}

#[tokio::test]
async fn teams_are_asked_where_they_are_wanted() {
    const TEAM: &str = "... on GrantedTrajectories { value { id team { workerId } } }";
    const NONE: &str = "... on GrantedTrajectories { value { id version } }";
    let trajectories = fields(&[(Class::Career, Part::Trajectories)]);
    let both = fields(&[
        (Class::Career, Part::Trajectories),
        (Class::Wellbeing, Part::Trajectories),
    ]);
    let cases = [
        (format!("career {{ trajectories {{ {NONE} }} }}"), String::new(), &trajectories, false),
        (format!("career {{ trajectories {{ {TEAM} }} }}"), String::new(), &trajectories, true),
        (
            format!("career {{ trajectories {{ {NONE} }} }} wellbeing {{ trajectories {{ {TEAM} }} }}"),
            String::new(),
            &both,
            true,
        ),
        (
            format!("career {{ trajectories {{ {TEAM} }} }} wellbeing {{ trajectories {{ {NONE} }} }}"),
            String::new(),
            &both,
            true,
        ),
        (
            format!("c: career {{ t: trajectories {{ {NONE} }} u: trajectories {{ {TEAM} }} }}"),
            String::new(),
            &trajectories,
            true,
        ),
        (
            "...d".to_owned(),
            "fragment d on Dossier { career { ...c } } fragment c on CareerDossier { trajectories { ...t } }
             fragment t on ProtectedTrajectories { __typename ...g } fragment g on GrantedTrajectories { value { ...v } }
             fragment v on Trajectory { places: team { begins } }"
                .to_owned(),
            &trajectories,
            true,
        ),
    ];
    for (of_dossier, fragments, fields, teams) in cases {
        let asked = asked_by(&of_dossier, &fragments).await;
        assert_eq!((&asked.fields, asked.teams), (fields, teams), "{of_dossier}");
    }
}
