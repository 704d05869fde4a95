use proptest::prelude::*;

use super::Reading::{NoSchool, Present, Unknown, Unresolved};
use super::*;
use crate::law::of_tests;

fn table(name: &str) -> LetterTable {
    of_tests().letters(name).expect("a built-in table").clone()
}

fn absent(letter: &str) -> Reading {
    Reading::Absent(letter.parse().expect("an official code"))
}

#[test]
fn the_official_letters_since_2019() {
    let table = table("discimus");
    for letter in ["A", "B", "H", "M", "P", "R", "Z"] {
        assert_eq!(table.read(letter, SchoolYear(2026)), absent(letter));
        assert_eq!(table.read(letter, SchoolYear(2018)), Unknown, "not before 2019-2020");
    }
    for letter in ["N", "X"] {
        for year in 2019..=2021 {
            assert_eq!(table.read(letter, SchoolYear(year)), absent(letter));
        }
        assert_eq!(table.read(letter, SchoolYear(2022)), Unknown);
    }
    for letter in ["", "D", "L", "b", "B01", "|", "-", "É"] {
        assert_eq!(table.read(letter, SchoolYear(2026)), Unknown, "`{letter}`");
    }
}

/// The table of the school packages, written by hand from their help pages.
#[test]
fn the_finer_letters_of_the_school_packages() {
    let table = table("school");
    let by_hand = [
        ("|", Present),
        ("-", Unresolved),
        ("null", NoSchool),
        ("L", Present),
        ("W", Present),
        ("G", NoSchool),
        ("A", absent("A")),
        ("B", absent("B")),
        ("C", absent("R")),
        ("D", absent("Z")),
        ("H", absent("H")),
        ("J", absent("R")),
        ("M", absent("M")),
        ("P", absent("P")),
        ("R", absent("R")),
        ("T", absent("R")),
        ("U", absent("R")),
        ("Y", absent("R")),
        ("Z", absent("Z")),
        ("O", Unknown),
        ("Q", Unknown),
        ("N", Unknown),
        ("S", Unknown),
        ("I", Unknown),
    ];
    for (letter, expected) in by_hand {
        assert_eq!(table.read(letter, SchoolYear(2026)), expected, "`{letter}`");
    }
}

#[test]
fn the_letters_before_2019() {
    let table = table("before2019");
    let by_hand = [
        ("|", Present),
        ("W", Present),
        ("G", NoSchool),
        ("A", absent("A")),
        ("B", absent("B")),
        ("C", absent("R")),
        ("D", absent("Z")),
        ("J", absent("R")),
        ("M", absent("M")),
        ("O", absent("P")),
        ("P", absent("P")),
        ("Q", absent("P")),
        ("R", absent("R")),
        ("T", absent("R")),
        ("U", absent("R")),
        ("Y", absent("R")),
        ("Z", absent("Z")),
        ("L", Unknown),
        ("S", Unknown),
        ("V", Unknown),
        ("E", Unknown),
        ("H", Unknown),
    ];
    for (letter, expected) in by_hand {
        assert_eq!(table.read(letter, SchoolYear(2018)), expected, "`{letter}`");
        assert_eq!(
            table.read(letter, SchoolYear(2019)),
            Unknown,
            "`{letter}` after its time"
        );
    }
}

#[test]
fn sub_codes_are_read_by_their_letter() {
    let table = table("school");
    assert_eq!(table.read("B01", SchoolYear(2026)), absent("B"));
    assert_eq!(table.read("R03", SchoolYear(2026)), absent("R"));
    assert_eq!(table.read(" D99 ", SchoolYear(2026)), absent("Z"));
    for wrong in ["B1", "B001", "B0x", "b01", "-01", "|01", "Q01", "É1", "null01"] {
        assert_eq!(table.read(wrong, SchoolYear(2026)), Unknown, "`{wrong}`");
    }
}

#[test]
fn a_tenant_has_its_own_meanings() {
    let ours = table("school")
        .with("R", Present)
        .with("I", absent("B"))
        .with("B07", absent("P"))
        .with("Z", Unknown)
        .with("I", NoSchool);
    let read = |letter| ours.read(letter, SchoolYear(2026));
    assert_eq!(read("R"), Present);
    assert_eq!(read("R03"), Present, "its sub-codes follow");
    assert_eq!(read("I"), NoSchool, "the last word holds");
    assert_eq!(read("B07"), absent("P"));
    assert_eq!(read("B08"), absent("B"));
    assert_eq!((read("Z"), read("Z01")), (Unknown, Unknown), "taken out");
    assert_eq!(
        table("school").read("R", SchoolYear(2026)),
        absent("R"),
        "of this tenant only"
    );
}

#[test]
fn meanings_are_a_closed_list() {
    for (text, reading) in [
        ("present", Present),
        ("no-school", NoSchool),
        ("unresolved", Unresolved),
        ("unknown", Unknown),
        ("B", absent("B")),
    ] {
        assert_eq!(text.parse(), Ok(reading));
    }
    for wrong in ["", "b", "late", "D", "B01"] {
        assert!(wrong.parse::<Reading>().is_err(), "`{wrong}` was taken");
    }
}

proptest! {
    #[test]
    fn a_letter_that_is_not_in_the_table_is_a_gap(letter in "\\PC{0,4}", year in any::<i16>()) {
        let listed = ["|", "-", "null", "L", "W", "G", "N", "X", "H"];
        let codes = "ABCDJMPRTUYZ";
        let main = letter.trim();
        let by_letter = main.chars().next().is_some_and(|first| codes.contains(first) || "LWGNXH".contains(first));
        for name in ["discimus", "school", "before2019"] {
            let reading = table(name).read(&letter, SchoolYear(year));
            prop_assert!(reading == Unknown || listed.contains(&main) || by_letter || "OQ".contains(main));
        }
    }
}
