//! The command, as an operator calls it: what it says before it does it, and what `doctor` says of what waits.

use serde_json::json;

use super::{CANARIES, goes, guided_by, round, transfers};
use crate::dossier::Staff;
use crate::support::database::both_databases;
use crate::support::look::{meddle, number};
use crate::support::town::Town;

const CONFIG: [&str; 2] = ["--config", "clb-hub.toml"];

both_databases!(the_command_carries_out_what_is_due, async |database: &TestDatabase| {
    let town = Town::new(database).await;
    let staff = Staff::anchored(&town).await;
    let gus = ("gus", Some("2012-05-01"));
    let guided = guided_by(&town, &staff.anchor, gus).await;
    goes(&town, gus, "2026-10-01").await;
    let folder = crate::dossier::events::configured(database);
    // With the keys of the town.
    std::fs::create_dir(folder.at("keys")).unwrap();
    for key in std::fs::read_dir(&town.keys).unwrap() {
        let key = key.unwrap();
        std::fs::copy(key.path(), folder.at("keys").join(key.file_name())).unwrap();
    }
    let run = |words: &[&str]| folder.run(&[words, &CONFIG].concat());
    run(&["keys"]);
    let doctor = || {
        let told = folder.output(&["doctor", CONFIG[0], CONFIG[1]]);
        let told = String::from_utf8(told.stdout).unwrap();
        let of_transfers = told.lines().filter(|line| line.contains("transfers: "));
        of_transfers.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(doctor(), [""; 0], "nothing is announced");

    assert_eq!(round(&town).await.announced, 1);
    let apart = database.look_apart().await;
    let told = "ok     transfers: 1 dossiers are announced to go to other CLBs";
    // Its day is kept back until the end of times, and then comes.
    meddle(&apart, "update transfer set goes_on = '9999-12-31'").await;
    assert_eq!(doctor(), [told]);
    assert_eq!(run(&["transfer"]), "no dossier has to go\n");
    meddle(&apart, "update transfer set goes_on = '2026-10-16'").await;
    let waits = "1 due, and waiting until the new CLB keeps its dossiers here (`dossiers = \"hub\"` in the register)\n";
    for command in [["transfer", "--dry-run"].as_slice(), &["transfer"]] {
        assert_eq!(run(command), waits);
    }
    let told = "WRONG  transfers: 1 dossiers wait until the new CLB keeps its dossiers here, 0 until one CLB alone is competent, \
                    and 0 until a legal hold is lifted";
    assert_eq!(doctor(), [told]);

    town.world.keeps_dossiers(town.second).await;
    let gone = "select count(*) from trajectory where from_clb_id is not null";
    assert_eq!(run(&["transfer", "--dry-run"]), "1 carried out whole\n");
    assert_eq!(number(&apart, gone).await, 0, "only said");
    assert_eq!(run(&["transfer"]), "1 carried out whole\n");
    assert_eq!(number(&apart, gone).await, 2);
    assert_eq!(run(&["transfer"]), "no dossier has to go\n");
    assert_eq!(doctor(), [""; 0]);
    let told = transfers(&town, &staff.director).await;
    assert_eq!(told[0]["custody"], json!("TRANSFERRED"), "{told:?}");
    let said = [run(&["transfer", "--dry-run"]), doctor().concat()].concat();
    for secret in CANARIES
        .iter()
        .copied()
        .chain([guided.pupil.to_string().as_str(), "gus"])
    {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
    apart.close().await.unwrap();
});
