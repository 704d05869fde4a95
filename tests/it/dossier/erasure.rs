//! Erasure by destroying a key: what it sealed is gone at once, and stays gone when a backup is put back (R29).

use clb_hub::custody::Custody;
use clb_hub::custody::log::Sealer;
use clb_hub::keys::heads::Heads;

use super::{
    CANARIES, GUIDANCE, Guided, all_of, consents, emergencies, open, parents_log, referrals, releases, told, write,
};
use crate::support::coverage::Door;
use crate::support::database::both_databases;
use crate::support::look::{list, meddle, number};
use crate::support::town::Town;

both_databases!(what_was_erased_stays_gone, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let mut door = Door::new(&town, &[]);
    let guided = Guided::ada(&mut door).await;
    let anchor = &guided.staff.anchor;
    let opened = door.ask_for(anchor, GUIDANCE, &open(town.bo, "LEARNING")).await;
    let of_bo = opened["openTrajectory"]["trajectoryId"].as_str().unwrap().to_owned();
    door.ask_for(anchor, GUIDANCE, &write(&of_bo, "", "of-bo")).await;
    let look = database.look_apart().await;
    consents::noted(&mut door, &guided).await;
    referrals::noted(&mut door, &guided).await;
    releases::noted(&mut door, &guided).await;
    emergencies::brought_out(&mut door, &guided).await;
    parents_log::brought_out(&mut door, &guided).await;
    let tables = [
        "dossier_key",
        "trajectory",
        "team_member",
        "entry",
        "entry_text",
        "consent",
        "consent_said",
        "capability",
        "referral",
        "referral_said",
        "emergency",
        "school_release",
        "log_hold",
        "log_review",
    ];
    for table in tables {
        meddle(&look, &format!("create table before_{table} as select * from {table}")).await;
    }
    let counted = async || {
        let mut counts = Vec::new();
        for table in tables {
            counts.push(number(&look, &format!("select count(*) from {table}")).await);
        }
        counts
    };
    assert_eq!(counted().await, [2, 3, 4, 3, 3, 3, 3, 1, 1, 3, 1, 2, 2, 1]);
    let read = async |pupil| told(&town.ask_for(anchor, GUIDANCE, true, &all_of(pupil)).await["dossier"])[0].clone();
    assert_eq!(read(town.ada).await, format!("1 [{}]", CANARIES[0]), "the control");

    let folder = tempfile::tempdir().unwrap();
    let custody = Custody::open(&town.world.db, &town.apart, town.world.now)
        .await
        .unwrap();
    assert!(
        custody
            .shred(folder.path(), town.first, town.ada, &*town.world.ids)
            .await
            .unwrap()
    );
    assert_eq!(counted().await, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // As if nobody had ever guided her; of Bo nothing was lost.
    assert_eq!(read(town.ada).await, "!NOT_IN_TEAM? !NOT_IN_TEAM?");
    assert_eq!(read(town.bo).await, "1 [of-bo]");
    assert!(
        !custody
            .shred(folder.path(), town.first, town.ada, &*town.world.ids)
            .await
            .unwrap(),
        "nothing is left"
    );
    assert_eq!(custody.restored(folder.path()).await.unwrap(), 0);
    // The log tells that it was done, and is whole.
    let done = "select count(*) from access_line where action = 'erase' and role = 'operator' and purpose = 'rights_of_the_person'";
    assert_eq!(number(&look, done).await, 1);
    Heads::make(folder.path(), &folder.path().join("heads")).unwrap();
    let heads = || Heads::open(folder.path(), &folder.path().join("heads")).unwrap();
    let again = Custody::open(&town.world.db, &town.apart, town.world.now)
        .await
        .unwrap();
    Sealer::new(again, heads()).round().await.unwrap();
    let verified = custody.verify(&heads()).await.unwrap();
    assert_eq!(
        (verified.len(), verified[0].wrong, verified[0].waiting),
        (1, None, None)
    );

    // Yesterday's backup is put back: it is seen, and what was erased is erased again.
    for table in tables {
        let back = format!(
            "insert into {table} select * from before_{table} b where not exists (select 1 from {table} t where t.id = b.id)"
        );
        meddle(&look, &back).await;
    }
    assert_eq!(custody.restored(folder.path()).await.unwrap(), 1);
    assert!(
        custody
            .shred(folder.path(), town.first, town.ada, &*town.world.ids)
            .await
            .unwrap()
    );
    assert_eq!(custody.restored(folder.path()).await.unwrap(), 0);
    assert_eq!(counted().await, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let listed = std::fs::read_to_string(folder.path().join("shredded")).unwrap();
    assert_eq!(
        listed.lines().filter(|line| !line.is_empty()).count(),
        2,
        "the key of the dossier and that of a copy, each listed once"
    );
    assert_eq!(
        list::<String>(&look, "select domain from trajectory").await,
        ["learning"]
    );
    look.close().await.unwrap();
});
