//! The file alone: what it says, and every fault by line, key and rule.

use hub_connectors::absences::{AbsenceFormat, DeleteMarker, Parts, PupilKey};
use hub_connectors::contract::Stream;
use hub_connectors::live::System;
use hub_connectors::oauth;
use hub_connectors::oneroster::rest;
use hub_entities::category::Category;

use super::*;

fn faults(text: &str) -> Vec<String> {
    let found = File::parse(text).unwrap_err();
    found.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn the_example_is_read_as_it_is_annotated() {
    let file = File::parse(EXAMPLE).unwrap();
    assert_eq!(file.clbs[0].institution_number, "114711");
    assert_eq!(file.schools[0].days_off.len(), 2);
    let source = &file.sources[0];
    assert_eq!(source.overrides, [("R".to_owned(), "present".to_owned())]);
    assert_eq!(
        source.files.roster,
        hub_connectors::oneroster::Settings::default(),
        "the example shows the defaults"
    );
    let AbsenceFormat::Csv(map) = &source.files.absences else {
        panic!("a CSV")
    };
    assert_eq!((map.pupil.as_str(), &map.key), ("leerling", &PupilKey::Stamnummer));
    assert!(matches!(&map.parts, Parts::Row { part, am, .. } if part == "dagdeel" && am.len() == 4));
    let deletion = DeleteMarker {
        column: "code".to_owned(),
        value: "-".to_owned(),
    };
    assert_eq!(map.delete, Some(deletion));
    let live = file.sources[1].files.live.as_ref().expect("a live source");
    assert_eq!(live.secret.as_str(), "034512-smartschool");
    assert!(live.brings(Stream::Absences) && !live.brings(Stream::Roster));
    assert_eq!(file.principals.len(), 5);
    assert!(file.agreements[0].categories.has(Category::Language));
}

/// What stands there to be taken over line by line is read as well.
#[test]
fn the_example_of_oneroster_is_read_once_it_is_no_comment() {
    let lines = EXAMPLE.lines().skip_while(|line| *line != "# [[source]]");
    let lines = lines.map_while(|line| line.strip_prefix("# "));
    let text = format!("{EXAMPLE}\n{}", lines.collect::<Vec<_>>().join("\n"));
    let file = File::parse(&text).unwrap();
    let live = file.sources[2].files.live.as_ref().expect("a live source");
    let token = oauth::Settings {
        token_url: "https://school.example/oauth/token".to_owned(),
        client_id: "clb-hub".to_owned(),
        scopes: ["roster-core.readonly", "roster-demographics.readonly"]
            .map(str::to_owned)
            .into(),
        sends: oauth::Sends::Basic,
    };
    let url = "https://school.example/ims/oneroster/v1p1";
    let settings = rest::Settings::of(url, rest::Credentials::Token(token));
    assert_eq!(live.system, System::OneRoster(Box::new(settings)));
}

#[test]
fn every_fault_is_told_by_line_key_and_rule_and_no_value_is() {
    let text = r#"
[[clb]]
institution_number = "11471"
name = ""

[[school]]
institution_number = "034512"
name = "Kanarie"
town = "Kanarie"
days_off = ["2026-10-12"]

[[source]]
school = "034512"
name = "files"
letters = "kanarie"
overrides = { R = "kanarie" }
absences = { csv = { pupl = "kanarie" } }

[[principal]]
issuer = "https://issuer.example"
subject = "kanarie"
role = "clb_worker"
school = "034512"

[[principal]]
issuer = "https://issuer.example"
subject = " kanarie"
role = "parent"

[[agreement]]
school = "034512"
clb = "114711"
categories = ["identity", "attendance"]
begins_on = 2026-09-01
signed_for_school = { issuer = "a", subject = "b", name = "kanarie" }

[[pupil]]
name = "kanarie"

[school2]
name = "kanarie"
"#;
    let found = faults(text);
    insta::assert_snapshot!(found.join("\n"));
    assert!(
        !found.iter().any(|fault| fault.to_lowercase().contains("kanarie")),
        "a value is told"
    );
}

#[test]
fn the_same_thing_twice_is_refused() {
    let clb = "[[clb]]\ninstitution_number = \"114711\"\nname = \"CLB\"\n";
    assert_eq!(
        faults(&format!("{clb}{clb}")),
        ["line 4: [[clb]] institution_number an earlier section registers the same"]
    );
    assert_eq!(faults("[[clb]\n"), ["line 1: not TOML"]);
}
