use super::super::answer::Content;
use super::super::envelope::tests::quickly;
use super::*;
use crate::contract::Gap;
use crate::roster::Roster;

/// Rows as text.
#[derive(Default)]
struct Rows(Vec<String>);

impl Sink for Rows {
    fn roster(&mut self, _: Roster) {}

    fn absence(&mut self, row: AbsenceRow<'_>) {
        assert!(!row.deleted, "nothing of this source is a deletion");
        self.0.push(format!(
            "{} {} {:?} {} {}",
            row.line, row.at.day, row.at.part, row.pupil_key, row.letter
        ));
    }

    fn gap(&mut self, _: Gap) {}

    fn progress(&mut self, _: u64, _: Option<u64>) {}
}

fn read_as(
    json: &str,
    step: usize,
    whose: &Whose,
    labels: &[(&str, &str)],
) -> Result<(Vec<String>, Vec<String>), Flaw> {
    let labels = labels
        .iter()
        .map(|(label, letter)| ((*label).to_owned(), (*letter).to_owned()))
        .collect();
    let mut rows = Rows::default();
    let mut reader = DayReader::new("2026-11-20".parse().expect("a date"), whose, &labels, &mut rows);
    let mut content = Content::of_at_most(MOST_ENTRY);
    for bytes in json.as_bytes().chunks(step) {
        content.feed(bytes, &mut |piece| reader.piece(piece))?;
    }
    content.finish()?;
    let gaps = reader.finish(&|key| (key == "left").then(|| key.to_owned()))?;
    let gaps = gaps
        .into_iter()
        .map(|gap| format!("{} {}", gap.rule, gap.records))
        .collect();
    Ok((rows.0, gaps))
}

fn read(json: &str) -> Result<(Vec<String>, Vec<String>), Flaw> {
    read_as(json, usize::MAX, &Whose::All, &[])
}

#[test]
fn everyone_comes_with_both_halves_as_written() {
    // The shape of school-apis §1.4, with pupils of our own.
    let json = r#"{"119940":{"am":"|","pm":"|"},"119975":{"am":"B","pm":"B"},"120004":{"am":"D","pm":null},"120005":{"am":"-","pm":" L "}}"#;
    let expected = [
        "1 2026-11-20 Am 119940 |",
        "1 2026-11-20 Pm 119940 |",
        "2 2026-11-20 Am 119975 B",
        "2 2026-11-20 Pm 119975 B",
        "3 2026-11-20 Am 120004 D",
        "3 2026-11-20 Pm 120004 null",
        "4 2026-11-20 Am 120005 -",
        "4 2026-11-20 Pm 120005 L",
    ];
    for step in 1..json.len() {
        let (rows, gaps) = read_as(json, step, &Whose::All, &[]).expect("a day");
        assert_eq!(rows, expected, "in steps of {step}");
        assert_eq!(gaps, [""; 0]);
    }
}

#[test]
fn names_of_fields_are_read_whatever_their_case_and_the_rest_is_left() {
    let (rows, gaps) = read(r#"{"jane.roe":{"AM":"B","naam":"x","Pm":"|","lessons":[1,{"a":2}]}}"#).expect("a day");
    assert_eq!(rows, ["1 2026-11-20 Am jane.roe B", "1 2026-11-20 Pm jane.roe |"]);
    assert_eq!(gaps, [""; 0]);
}

#[test]
fn a_day_without_anyone_is_empty_in_either_shape() {
    assert_eq!(read("[]"), Ok((vec![], vec![])));
    assert_eq!(read("{}"), Ok((vec![], vec![])));
}

#[test]
fn labels_stand_beside_the_letter_and_go_no_further() {
    let json = r#"{"jane.roe":{"am":{"officialcode":"|","alias":"Aanwezig"},"pm":{"officialcode":"-","alias":"Spijbelen"}},
        "john.doe":{"am":{"code":"L","alias":null},"pm":{"code":null,"alias":"geen les"}}}"#;
    let (rows, _) = read(json).expect("a day");
    assert_eq!(
        rows,
        [
            "1 2026-11-20 Am jane.roe |",
            "1 2026-11-20 Pm jane.roe -",
            "2 2026-11-20 Am john.doe L",
            "2 2026-11-20 Pm john.doe null",
        ]
    );
    let (rows, _) = read_as(json, 5, &Whose::All, &[("Spijbelen", "B")]).expect("a day");
    assert_eq!(rows[1], "1 2026-11-20 Pm jane.roe B");
}

#[test]
fn a_deleted_account_speaks_for_its_pupil_unless_the_name_lives() {
    assert_eq!(
        deleted("20240916_104204_john.doe"),
        Some(("20240916_104204_", "john.doe"))
    );
    for alive in [
        "john.doe",
        "20240916_104204_",
        "20240916-104204_john.doe",
        "2024091é_104204_john",
        "119940",
    ] {
        assert_eq!(deleted(alive), None, "{alive}");
    }
    let json = r#"{"20260916_104204_john.doe":{"am":"Z","pm":"B"},"jane.roe":{"am":"|","pm":"|"}}"#;
    let (rows, gaps) = read(json).expect("a day");
    assert_eq!(rows[2..], ["1 2026-11-20 Am john.doe Z", "1 2026-11-20 Pm john.doe B"]);
    assert_eq!(gaps, [""; 0]);
    // Whether the name comes before or after.
    for json in [
        r#"{"20260916_104204_jane.roe":{"am":"Z","pm":"B"},"jane.roe":{"am":"|","pm":"|"}}"#,
        r#"{"jane.roe":{"am":"|","pm":"|"},"20260916_104204_jane.roe":{"am":"Z","pm":"B"}}"#,
    ] {
        let (rows, gaps) = read(json).expect("a day");
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert!(rows.iter().all(|row| row.ends_with("jane.roe |")), "{rows:?}");
        assert_eq!(gaps, ["smartschool.deleted_account_in_doubt 1"]);
    }
    // Of two that are deleted the later one.
    let json = r#"{"20260916_104204_a":{"am":"Z","pm":"Z"},"20261001_080000_a":{"am":"B","pm":"B"},"20260801_080000_a":{"am":"R","pm":"R"}}"#;
    let (rows, gaps) = read(json).expect("a day");
    assert_eq!(rows, ["2 2026-11-20 Am a B", "2 2026-11-20 Pm a B"]);
    assert_eq!(gaps, ["smartschool.deleted_account_in_doubt 2"]);
}

#[test]
fn of_a_tenant_of_several_schools_only_the_asked_one_is_handed_on() {
    let listed = [("own", Some("119940")), ("other", None)];
    let listed = listed.map(|(key, pupil)| (key.to_owned(), pupil.map(str::to_owned)));
    let whose = Whose::Listed(listed.into_iter().collect());
    let json = r#"{"other":{"am":"B","pm":"B"},"own":{"am":"B","pm":"|"},"left":{"am":"Z","pm":"Z"},"nobody":{"am":"B","pm":"B"}}"#;
    let (rows, gaps) = read_as(json, 7, &whose, &[]).expect("a day");
    assert_eq!(
        rows,
        [
            "2 2026-11-20 Am 119940 B",
            "2 2026-11-20 Pm 119940 |",
            "3 2026-11-20 Am left Z",
            "3 2026-11-20 Pm left Z",
        ]
    );
    assert_eq!(gaps, ["smartschool.absence_of_unknown_pupil 1"]);
}

#[test]
fn a_half_day_that_cannot_be_read_is_a_gap_and_an_answer_of_them_is_none() {
    let json = r#"{"a":{"am":"B","pm":7},"b":{"am":[],"pm":"|"},"c":{"am":"|"},"d":"B","":{"am":"B","pm":"B"},"e":{"am":{"alias":"x"},"pm":true}}"#;
    let (rows, gaps) = read(json).expect("a day");
    assert_eq!(
        rows,
        ["1 2026-11-20 Am a B", "2 2026-11-20 Pm b |", "3 2026-11-20 Am c |"]
    );
    assert_eq!(gaps, ["smartschool.unreadable_half_day 9"]);
    // What another call answers (school-apis §1.4, by date and group) is not a day.
    for other in [
        r#"{"classCode":"3LAT","className":"3 Latijn","students":[{"userId":"1","am":"B","pm":"B"}]}"#,
        r#"{"2026-11-20":{"voormiddag":"B","namiddag":"B"}}"#,
    ] {
        assert_eq!(read(other), Err("absences.shape"), "{other}");
    }
    assert_eq!(read(r#"[{"am":"B","pm":"B"}]"#), Err("absences.list"));
}

#[test]
fn hostile_json_breaks_the_answer_and_nothing_else() {
    let deep = format!(
        r#"{{"a":{{"am":{}1{},"pm":"B"}}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let long = format!(r#"{{"a":{{"am":"{}","pm":"B"}}}}"#, "B".repeat(MOST_ENTRY));
    let cases = [
        ("json.too_deep", deep.as_str()),
        ("json.piece_too_large", &long),
        ("json.malformed", r#"{"a":{"am":"B","pm":1e400}}"#),
        ("json.malformed", r#"{"a":{"am":"\ud800","pm":"B"}}"#),
        ("json.malformed", r#"{"\udfff":{"am":"B","pm":"B"}}"#),
        ("json.malformed", r#"{a:{"am":"B","pm":"B"}}"#),
        ("json.malformed", r#"{"a":{"am":"B" "pm":"B"}}"#),
        ("json.malformed", r#"{"a":}"#),
        ("json.malformed", r#"{"a":NaN}"#),
        ("json.malformed", "{\"a\":{\"am\":\"\u{1}\",\"pm\":\"B\"}}"),
    ];
    for (rule, json) in cases {
        for step in [1, 64, usize::MAX] {
            quickly(rule, || assert_eq!(read_as(json, step, &Whose::All, &[]), Err(rule)));
        }
    }
    // Twice the same name: the later one counts, as everywhere in JSON.
    let (rows, _) = read(r#"{"a":{"am":"B","am":"|","pm":"B"},"a":{"am":"Z","pm":"Z"}}"#).expect("a day");
    assert_eq!(rows[0], "1 2026-11-20 Am a |");
    assert_eq!(rows[2], "2 2026-11-20 Am a Z");
}

#[test]
fn a_day_has_an_end() {
    let entries = (0..=MOST_PUPILS).map(|number| format!("\"{number}\":{{\"am\":\"|\",\"pm\":\"|\"}}"));
    let json = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    assert_eq!(read(&json), Err("absences.too_many_pupils"));
    let entries =
        (0..=MOST_PUT_OFF).map(|number| format!("\"20260916_104204_{number}\":{{\"am\":\"B\",\"pm\":\"B\"}}"));
    let json = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    assert_eq!(read(&json), Err("absences.too_many_deleted_accounts"));
}
