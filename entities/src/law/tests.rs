use std::collections::BTreeSet;

use proptest::prelude::*;

use super::code::Level;
use super::threshold::{Effect, SignalKind};
use super::*;
use crate::absence::code::Code;
use crate::absence::mark::Mark;

fn embedded() -> &'static Laws {
    of_tests()
}

fn thresholds(laws: &Laws, year: i16) -> Vec<(u16, SignalKind, Effect)> {
    let in_force = laws.thresholds(SchoolYear(year));
    in_force
        .into_iter()
        .map(|one| (one.half_days, one.kind, one.effect))
        .collect()
}

#[test]
fn every_data_file_is_whole() {
    let laws = embedded();
    assert_eq!(laws.unknown(), Vec::<String>::new());
    assert_eq!(
        laws.letter_tables().collect::<Vec<_>>(),
        ["discimus", "school", "before2019"]
    );
}

#[test]
fn the_codes_of_each_time() {
    let laws = embedded();
    let letters = |year, level| {
        let mut letters: Vec<_> = laws
            .codes(SchoolYear(year))
            .filter(|code| code.levels.contains(&level))
            .map(|code| code.letter.as_str())
            .collect();
        letters.sort_unstable();
        letters.concat()
    };
    assert_eq!(letters(2026, Level::Preschool), "ABP");
    assert_eq!(letters(2026, Level::Primary), "BPRZ");
    assert_eq!(letters(2026, Level::SpecialPrimary), "BHPRZ");
    assert_eq!(letters(2026, Level::Secondary), "BMPRZ", "five in ordinary secondary");
    assert_eq!(
        letters(2026, Level::SpecialSecondary),
        "BHMPRZ",
        "six in special secondary"
    );
    for (year, temporary) in [(2018, false), (2019, true), (2020, true), (2021, true), (2022, false)] {
        assert_eq!(letters(year, Level::Primary).contains("NPRXZ"), temporary, "{year}");
    }
    assert!(letters(2018, Level::Secondary).contains('D') && !letters(2019, Level::Secondary).contains('D'));
}

/// Neither the data file nor the hub has a code since 2019 that the other lacks: one without a row would be read and
/// never explained, one without a meaning here could not be counted.
#[test]
fn the_codes_of_the_file_are_those_that_the_hub_counts() {
    let laws = embedded();
    // As serde derives them: a code that is forgotten in a list by hand is not forgotten there.
    let unknown = serde_json::from_str::<Code>("\"?\"").expect_err("no code").to_string();
    let known: BTreeSet<&str> = unknown.split('`').skip(3).step_by(2).collect();
    assert_eq!(known.len(), Code::ALL.len(), "{unknown}");
    assert_eq!(Code::ALL.map(Code::letter).into_iter().collect::<BTreeSet<_>>(), known);
    let marks = Mark::ALL.into_iter().filter_map(|mark| match mark {
        Mark::Code(code) => Some(code.letter()),
        Mark::Unresolved | Mark::NoLongerB | Mark::UnknownLetter => None,
    });
    assert_eq!(marks.collect::<BTreeSet<_>>(), known);
    let official = laws.letters("discimus").expect("the official letters");
    let mut of_file = BTreeSet::new();
    for year in (2019..2040).map(SchoolYear) {
        for code in laws.codes(year) {
            of_file.insert(code.letter.as_str());
            let counted: Code = code.letter.parse().expect("a code that the hub counts");
            assert_eq!(code.problematic, counted.is_problematic(), "{counted} in {year}");
            assert_eq!(
                official.read(&code.letter, year),
                letters::Reading::Absent(counted),
                "{year}"
            );
        }
        // And in a year in which a code does not exist, its letter is a gap.
        for code in Code::ALL {
            let exists = laws.codes(year).any(|row| row.letter == code.letter());
            let read = official.read(code.letter(), year);
            assert_eq!(read == letters::Reading::Absent(code), exists, "{code} in {year}");
        }
    }
    assert_eq!(of_file, known);
}

/// The letters of before 2019, whose codes are no more: each that is in the file is read as one of today's, as presence or
/// as no school; but for those whose meaning is not certain, which are a gap.
#[test]
fn the_codes_of_before_are_read_as_those_of_today() {
    let laws = embedded();
    let table = laws.letters("before2019").expect("the letters of before");
    let (read, unknown): (BTreeSet<&str>, BTreeSet<&str>) = laws
        .codes(SchoolYear(2018))
        .map(|code| code.letter.as_str())
        .partition(|letter| table.read(letter, SchoolYear(2018)) != letters::Reading::Unknown);
    assert_eq!(read.into_iter().collect::<String>(), "ABCDGJMOPQRTUWYZ");
    assert_eq!(unknown.into_iter().collect::<String>(), "L");
}

#[test]
fn one_code_is_problematic_in_every_year() {
    let laws = embedded();
    for year in 2000..2040 {
        let problematic: Vec<_> = laws
            .codes(SchoolYear(year))
            .filter(|code| code.problematic)
            .map(|code| code.letter.as_str())
            .collect();
        assert_eq!(problematic, ["B"], "{year}");
    }
}

#[test]
fn the_thresholds_of_each_time() {
    use Effect::{Information, Obligatory};
    use SignalKind::{Truancy5, Truancy10, Truancy30};
    let laws = embedded();
    let five = vec![(5, Truancy5, Obligatory), (30, Truancy30, Information)];
    let ten = vec![(10, Truancy10, Obligatory), (30, Truancy30, Information)];
    assert_eq!(thresholds(laws, 2026), five);
    assert_eq!(thresholds(laws, 2016), five);
    assert_eq!(thresholds(laws, 2015), ten);
    assert_eq!(thresholds(laws, 2006), [(10, Truancy10, Obligatory)]);
    // What a kind obliges to is the same in every year in which it raises a signal.
    for (_, kind, effect) in (2000..2040).flat_map(|year| thresholds(laws, year)) {
        assert_eq!(kind.is_obligatory(), effect == Obligatory, "{kind}");
    }
}

#[test]
fn an_early_warning_is_of_an_agreement_only() {
    let laws = embedded();
    for year in 2000..2040 {
        let early = thresholds(laws, year)
            .into_iter()
            .find(|(.., effect)| !matches!(effect, Effect::Obligatory | Effect::Information));
        assert_eq!(early, None, "{year}");
        assert_eq!(laws.allows_early_warnings(SchoolYear(year)), year >= 2016, "{year}");
    }
    let three = threshold::Threshold::early(3).expect("three half-days");
    assert_eq!((three.half_days, three.kind), (3, SignalKind::TruancyEarly));
    assert_eq!(threshold::Threshold::early(0), None);
}

#[test]
fn the_names_of_signals_never_change() {
    let names = SignalKind::ALL.map(SignalKind::name);
    assert_eq!(names, ["truancy.early", "truancy.5", "truancy.10", "truancy.30"]);
    for kind in SignalKind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
        assert_eq!(serde_json::to_string(&kind).expect("json"), format!("\"{kind}\""));
    }
}

/// Standards §2: the codes of CEDS, as they are written; what else servers send is no grade that is known.
#[test]
fn a_grade_has_a_level() {
    let laws = embedded();
    let level = |grade| laws.level(grade, SchoolYear(2026));
    for (grades, at) in [
        ("IT PR PK TK KG", Level::Preschool),
        ("01 02 03 04 05 06", Level::Primary),
        ("07 08 09 10 11 12 13", Level::Secondary),
    ] {
        for grade in grades.split(' ') {
            assert_eq!(level(grade), Some(at), "{grade}");
        }
    }
    for grade in ["1", "9", "K1", "kg", "First grade", "UG", "PS", "00", "14", ""] {
        assert_eq!(level(grade), None, "{grade}");
    }
}

/// Design §2: a value without source and certainty is unknown, and its rule is off.
#[test]
fn a_rule_without_source_or_certainty_is_off() {
    let (before, row) = Texts::EMBEDDED
        .thresholds
        .split_once("kind = \"truancy.5\"")
        .expect("the row of 5");
    let with_line = |start: &str, instead: &str| {
        let line = row.lines().find(|line| line.starts_with(start)).expect("the line");
        format!("{before}kind = \"truancy.5\"{}", row.replacen(line, instead, 1))
    };
    let broken = [
        with_line("source = ", ""),
        with_line("certainty = ", ""),
        with_line("source = ", "source = \" \""),
    ];
    for text in broken {
        let laws = Laws::parse(Texts {
            thresholds: &text,
            ..Texts::EMBEDDED
        })
        .expect("still a data file");
        assert_eq!(laws.unknown(), ["thresholds.toml: threshold `truancy.5`"]);
        assert_eq!(
            thresholds(&laws, 2026),
            [(30, SignalKind::Truancy30, Effect::Information)]
        );
    }
}

#[test]
fn an_unknown_letter_row_is_a_letter_that_is_not_there() {
    let text = "[[table]]\nname = \"ours\"\nsub_codes = false\n[[table.row]]\nletter = \"B\"\nmeans = \"B\"\ncertainty = \"H\"\n";
    let laws = Laws::parse(Texts {
        letters: text,
        ..Texts::EMBEDDED
    })
    .expect("a data file");
    let table = laws.letters("ours").expect("the table");
    assert_eq!(table.read("B", SchoolYear(2026)), letters::Reading::Unknown);
    assert_eq!(laws.unknown(), ["letters.toml: letter `B`"]);
}

#[test]
fn a_broken_file_is_an_error_that_names_it() {
    let table = "[[table]]\nname = \"t\"\nsub_codes = false\n";
    let row = "[[table.row]]\nletter = \"B\"\nmeans = \"B\"\nsource = \"s\"\ncertainty = \"H\"\n";
    let twice = format!("{table}{row}{row}");
    let tables = format!("{table}row = []\n{table}row = []\n");
    let guess = format!("{table}{}", row.replace("means = \"B\"", "means = \"late?\""));
    let wrong_key = Texts::EMBEDDED.thresholds.replacen("half_days", "halfdays", 1);
    let backwards = Texts::EMBEDDED
        .compulsory
        .replacen("until = 2019", "from = 2020\nuntil = 2019", 1);
    let embedded = Texts::EMBEDDED;
    let level_twice = Texts::EMBEDDED.grades.replacen("\"07\"", "\"06\", \"07\"", 1);
    let cases = [
        (
            "grades.toml",
            Texts {
                grades: &level_twice,
                ..embedded
            },
        ),
        (
            "codes.toml",
            Texts {
                codes: "[[code]",
                ..embedded
            },
        ),
        (
            "thresholds.toml",
            Texts {
                thresholds: &wrong_key,
                ..embedded
            },
        ),
        (
            "compulsory.toml",
            Texts {
                compulsory: &backwards,
                ..embedded
            },
        ),
        (
            "calendar.toml",
            Texts {
                calendar: "[[free]]\nname = \"x\"\nbegins = \"whitsun\"\ndays = 1\n",
                ..embedded
            },
        ),
        (
            "transfer.toml",
            Texts {
                transfer: "[[term]]\nworking_days = \"ten\"\n",
                ..embedded
            },
        ),
        (
            "letters.toml",
            Texts {
                letters: &twice,
                ..embedded
            },
        ),
        (
            "letters.toml",
            Texts {
                letters: &tables,
                ..embedded
            },
        ),
        (
            "letters.toml",
            Texts {
                letters: &guess,
                ..embedded
            },
        ),
    ];
    for (file, texts) in cases {
        let error = Laws::parse(texts).expect_err("a broken file was taken");
        assert_eq!(error.file, file, "{error}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_law_or_an_error(text in "\\PC{0,60}", cut in 0_usize..4000) {
        let start: String = Texts::EMBEDDED.letters.chars().take(cut).collect();
        for text in [text, start] {
            let letters = Laws::parse(Texts { letters: &text, ..Texts::EMBEDDED });
            let calendar = Laws::parse(Texts { calendar: &text, ..Texts::EMBEDDED });
            prop_assert!(letters.is_ok() || calendar.is_err());
        }
    }
}
