//! Every expectation is written by hand from domain facts §3.4, §3.5, §4.4 and issue 4.2.

use proptest::prelude::*;

use super::*;
use crate::law::{Laws, Texts, of_tests};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn law() -> &'static ConsentLaw {
    of_tests().consent()
}

/// Twelve on 7 October 2026.
const BORN: &str = "2014-10-07";

fn minor() -> Minor<'static> {
    Minor {
        born: Some(day(BORN)),
        judged: &[],
    }
}

const CAPABLE: &[Judged] = &[Judged {
    capability: Capability::Capable,
    from: NaiveDate::MIN,
}];

const NOT_CAPABLE: &[Judged] = &[Judged {
    capability: Capability::NotCapable,
    from: NaiveDate::MIN,
}];

fn judged(judged: &[Judged]) -> Minor<'_> {
    Minor { judged, ..minor() }
}

fn answer(to: ConsentTo, by: Giver, reply: Reply, on: &str) -> Consent {
    Consent {
        to,
        by,
        form: Form::Written,
        reply,
        given_on: day(on),
        ends_on: None,
        revoked_on: None,
    }
}

fn yes(by: Giver, on: &str) -> Consent {
    answer(ConsentTo::Guidance, by, Reply::Given, on)
}

fn no(by: Giver, on: &str) -> Consent {
    answer(ConsentTo::Guidance, by, Reply::Refused, on)
}

#[test]
fn the_pupil_decides_from_the_twelfth_birthday() {
    assert_eq!(law().decides(minor(), day("2026-10-06")), Decides::Parents);
    assert_eq!(law().decides(minor(), day("2026-10-07")), Decides::Pupil);
    let leap = Minor {
        born: Some(day("2012-02-29")),
        judged: &[],
    };
    assert_eq!(law().decides(leap, day("2024-02-28")), Decides::Parents);
    assert_eq!(law().decides(leap, day("2024-02-29")), Decides::Pupil);
    let common = Minor {
        born: Some(day("2016-02-29")),
        judged: &[],
    };
    assert_eq!(law().decides(common, day("2028-02-29")), Decides::Pupil);
    assert_eq!(law().decides(common, day("2028-02-28")), Decides::Parents);
}

#[test]
fn the_team_may_decide_otherwise_both_ways() {
    assert_eq!(law().decides(judged(CAPABLE), day("2022-01-01")), Decides::Pupil);
    assert_eq!(law().decides(judged(NOT_CAPABLE), day("2030-01-01")), Decides::Parents);
}

#[test]
fn what_the_team_decided_holds_from_its_day() {
    let of = |capability, from: &str| Judged {
        capability,
        from: day(from),
    };
    let history = [
        of(Capability::Capable, "2026-09-10"),
        of(Capability::NotCapable, "2026-11-01"),
        of(Capability::Capable, "2026-12-01"),
        of(Capability::NotCapable, "2026-12-01"),
    ];
    for (on, expected) in [
        ("2026-09-09", Decides::Parents),
        ("2026-09-10", Decides::Pupil),
        ("2026-11-01", Decides::Parents),
        ("2026-12-01", Decides::Parents),
    ] {
        assert_eq!(law().decides(judged(&history), day(on)), expected, "{on}");
    }
    // What the parents consented to while they decided continues, whether by age or by what the team decided.
    let on = |answers: &[Consent], on: &str| law().guidance(None, judged(&history[..2]), answers, day(on));
    let before = yes(Giver::Parent, "2026-09-09");
    assert_eq!(on(&[before], "2026-09-10"), Standing::AskThePupil);
    assert_eq!(on(&[yes(Giver::Parent, "2026-09-10")], "2026-09-10"), Standing::Missing);
    let later = [history[1], of(Capability::Capable, "2027-01-01")];
    let while_not = yes(Giver::Parent, "2026-11-02");
    let standing = law().guidance(None, judged(&later), &[while_not], day("2027-01-01"));
    assert_eq!(standing, Standing::AskThePupil);
}

#[test]
fn without_a_birth_date_it_waits_for_the_team() {
    let unknown = Minor::default();
    assert_eq!(law().decides(unknown, day("2026-10-07")), Decides::Unknown);
    let answers = [yes(Giver::Parent, "2026-09-01"), yes(Giver::Pupil, "2026-09-01")];
    let standing = law().guidance(None, unknown, &answers, day("2026-10-07"));
    assert_eq!(standing, Standing::Waits);
    assert!(!standing.begins() && !standing.continues());
    let decided = Minor {
        born: None,
        judged: CAPABLE,
    };
    assert_eq!(
        law().guidance(None, decided, &answers, day("2026-10-07")),
        Standing::Given
    );
}

#[test]
fn what_is_obligatory_asks_nobody_whatever_was_answered() {
    for obligation in Obligation::ALL {
        let refused = [no(Giver::Parent, "2026-09-01"), no(Giver::Pupil, "2026-09-02")];
        for minor in [minor(), Minor::default()] {
            let standing = law().guidance(Some(*obligation), minor, &refused, day("2026-10-07"));
            assert_eq!(standing, Standing::NotNeeded, "{obligation}");
        }
    }
    // Once the signal is withdrawn nothing obliges any more: consent is asked, and none is there.
    assert_eq!(law().guidance(None, minor(), &[], day("2026-10-07")), Standing::Missing);
}

#[test]
fn guidance_needs_the_consent_of_who_decides() {
    let on = |answers: &[Consent], on: &str| law().guidance(None, minor(), answers, day(on));
    let parent = yes(Giver::Parent, "2026-09-01");
    let pupil = yes(Giver::Pupil, "2026-09-01");
    // Under twelve the parents, and nobody else.
    assert_eq!(on(&[parent], "2026-10-06"), Standing::Given);
    assert_eq!(on(&[pupil], "2026-10-06"), Standing::Missing);
    assert_eq!(
        on(&[parent, no(Giver::Pupil, "2026-09-02")], "2026-10-06"),
        Standing::Given
    );
    // From twelve the pupil.
    assert_eq!(on(&[pupil], "2026-10-07"), Standing::Given);
    assert_eq!(on(&[yes(Giver::Parent, "2026-10-07")], "2026-10-07"), Standing::Missing);
    assert_eq!(on(&[], "2026-10-07"), Standing::Missing);
}

#[test]
fn turning_twelve_continues_and_asks_the_pupil() {
    let on = |answers: &[Consent]| law().guidance(None, minor(), answers, day("2026-10-07"));
    let parent = yes(Giver::Parent, "2026-09-01");
    let standing = on(&[parent]);
    assert_eq!(standing, Standing::AskThePupil);
    assert!(standing.continues() && !standing.begins());
    // The pupil's own answer settles it, either way.
    assert_eq!(on(&[parent, yes(Giver::Pupil, "2026-10-07")]), Standing::Given);
    assert_eq!(on(&[parent, no(Giver::Pupil, "2026-10-07")]), Standing::Missing);
    // What the parents had taken back does not come to life again.
    let revoked = Consent {
        revoked_on: Some(day("2026-09-20")),
        ..parent
    };
    assert_eq!(on(&[revoked]), Standing::Missing);
}

#[test]
fn a_parents_sharing_consent_covers_nothing_new_after_twelve() {
    let parent = answer(ConsentTo::Sharing, Giver::Parent, Reply::Given, "2026-09-01");
    let on = |on: &str| law().standing(ConsentTo::Sharing, minor(), &[parent], day(on));
    assert!(on("2026-10-06").begins());
    assert!(!on("2026-10-07").begins());
}

#[test]
fn health_data_reach_the_school_only_in_writing() {
    let noted = |to| Consent {
        form: Form::Noted,
        ..answer(to, Giver::Pupil, Reply::Given, "2026-10-07")
    };
    let on = |to, answers: &[Consent]| law().standing(to, minor(), answers, day("2026-10-08"));
    assert_eq!(on(ConsentTo::Sharing, &[noted(ConsentTo::Sharing)]), Standing::Given);
    let health = ConsentTo::SharingHealth;
    assert_eq!(on(health, &[noted(health)]), Standing::Missing);
    let written = answer(health, Giver::Pupil, Reply::Given, "2026-10-07");
    assert_eq!(on(health, &[written]), Standing::Given);
    // A refusal needs no form.
    let refused = Consent {
        reply: Reply::Refused,
        given_on: day("2026-10-08"),
        ..noted(health)
    };
    assert_eq!(on(health, &[written, refused]), Standing::Missing);
}

#[test]
fn a_consent_holds_for_what_it_was_given_and_as_long() {
    let pupil = yes(Giver::Pupil, "2026-10-07");
    let on = |one: Consent, on: &str| law().guidance(None, minor(), &[one], day(on));
    assert_eq!(on(pupil, "2026-10-06"), Standing::Missing);
    let ends = Consent {
        ends_on: Some(day("2026-11-01")),
        ..pupil
    };
    assert_eq!(on(ends, "2026-10-31"), Standing::Given);
    assert_eq!(on(ends, "2026-11-01"), Standing::Missing);
    let revoked = Consent {
        revoked_on: Some(day("2026-10-20")),
        ..pupil
    };
    assert_eq!(on(revoked, "2026-10-19"), Standing::Given);
    assert_eq!(on(revoked, "2026-10-20"), Standing::Missing);
    let other = Consent {
        to: ConsentTo::Referral,
        ..pupil
    };
    assert_eq!(on(other, "2026-10-08"), Standing::Missing);
}

#[test]
fn the_last_answer_counts_and_of_one_day_the_refusal() {
    let on = |answers: &[Consent]| law().guidance(None, minor(), answers, day("2026-12-01"));
    let (given, refused) = (yes(Giver::Pupil, "2026-10-10"), no(Giver::Pupil, "2026-10-10"));
    assert_eq!(on(&[given, no(Giver::Pupil, "2026-11-01")]), Standing::Missing);
    assert_eq!(on(&[no(Giver::Pupil, "2026-10-09"), given]), Standing::Given);
    assert_eq!(on(&[given, refused]), Standing::Missing);
    assert_eq!(on(&[refused, given]), Standing::Missing);
}

/// An unknown rule presumes nothing: nobody decides, nothing obliges, and only the stricter form is enough.
#[test]
fn a_rule_without_a_source_is_off() {
    let text = Texts::EMBEDDED.consent.replace("certainty = \"H\"", "");
    let laws = Laws::parse(Texts {
        consent: &text,
        ..Texts::EMBEDDED
    })
    .unwrap();
    assert!(laws.unknown().iter().any(|row| row == "consent.toml: capable from 12"));
    let law = laws.consent();
    assert_eq!(law.decides(minor(), day("2026-10-07")), Decides::Unknown);
    assert!(!law.is_obligatory(Obligation::Prophylaxis, day("2026-10-07")));
    assert!(!law.form_is_enough(ConsentTo::Sharing, Form::Noted, day("2026-10-07")));
    assert!(law.form_is_enough(ConsentTo::Sharing, Form::Written, day("2026-10-07")));
}

/// Each obligation rests on a row of its own: one of which no source is known does not oblige because others do.
#[test]
fn an_obligation_is_known_by_its_own_row() {
    let (before, row) = Texts::EMBEDDED.consent.split_once("kind = \"prophylaxis\"").unwrap();
    let text = format!(
        "{before}kind = \"prophylaxis\"{}",
        row.replacen("certainty = \"H\"", "", 1)
    );
    let laws = Laws::parse(Texts {
        consent: &text,
        ..Texts::EMBEDDED
    })
    .unwrap();
    let obliges = |obligation| laws.consent().is_obligatory(obligation, day("2026-10-07"));
    assert!(!obliges(Obligation::Prophylaxis));
    assert!(obliges(Obligation::CompulsoryEducation) && obliges(Obligation::SystematicContact));
}

/// What is asked on a day is answered within fifteen days after it; without a known term no day is told.
#[test]
fn a_request_is_answered_within_the_term() {
    let on = |asked: &str| law().answer_by(Right::Access, day(asked));
    assert_eq!(on("2026-10-01"), Some(day("2026-10-16")));
    assert_eq!(on("2027-02-20"), Some(day("2027-03-07")));
    // GDPR art. 12(3), and of a month without such a day the last one.
    let corrected = |asked: &str| law().answer_by(Right::Correction, day(asked));
    assert_eq!(corrected("2026-10-01"), Some(day("2026-11-01")));
    assert_eq!(corrected("2027-01-31"), Some(day("2027-02-28")));
    let none = Texts::EMBEDDED.consent.replace("months = 1", "");
    let none = Laws::parse(Texts {
        consent: &none,
        ..Texts::EMBEDDED
    });
    let none = none.unwrap();
    assert_eq!(none.consent().answer_by(Right::Correction, day("2026-10-01")), None);
    let text = Texts::EMBEDDED.consent.replace("certainty = \"OK\"", "");
    let laws = Laws::parse(Texts {
        consent: &text,
        ..Texts::EMBEDDED
    })
    .unwrap();
    assert!(laws.unknown().iter().any(|row| row == "consent.toml: term of `access`"));
    assert_eq!(laws.consent().answer_by(Right::Access, day("2026-10-01")), None);
}

fn any_consent() -> impl Strategy<Value = Consent> {
    let days = -400_i64..400;
    (
        prop::sample::select(ConsentTo::ALL),
        prop::sample::select(Giver::ALL),
        prop::sample::select(Form::ALL),
        prop::sample::select(Reply::ALL),
        days.clone(),
        prop::option::of(days.clone()),
        prop::option::of(days),
    )
        .prop_map(|(to, by, form, reply, given, ends, revoked)| {
            let on = |offset: i64| day("2026-10-07") + chrono::Duration::days(offset);
            Consent {
                to,
                by,
                form,
                reply,
                given_on: on(given),
                ends_on: ends.map(on),
                revoked_on: revoked.map(on),
            }
        })
}

proptest! {
    /// Nothing begins without a yes, to that very thing, of who decides on that day; and the order of rows is nothing.
    #[test]
    fn nothing_begins_without_a_yes(
        answers in prop::collection::vec(any_consent(), 0..6),
        to in prop::sample::select(ConsentTo::ALL),
        offset in -400_i64..400,
    ) {
        let on = day("2026-10-07") + chrono::Duration::days(offset);
        let standing = law().standing(to, minor(), &answers, on);
        let giver = if offset < 0 { Giver::Parent } else { Giver::Pupil };
        let yes = |one: &Consent| one.to == to && one.by == giver && one.reply == Reply::Given && one.stands(on);
        prop_assert!(!standing.begins() || answers.iter().any(yes));
        let mut turned = answers.clone();
        turned.reverse();
        prop_assert_eq!(standing, law().standing(to, minor(), &turned, on));
        // Before twelve nobody is asked for what only a pupil can give.
        prop_assert!(offset >= 0 || standing != Standing::AskThePupil);
    }
}

fn next(answers: &[Consent], on: &str) -> Option<NextStep> {
    law().next(OPEN, minor(), answers, day(on))
}

const OPEN: Course = Course {
    open: true,
    obligation: None,
    lapsed: false,
};

#[test]
fn what_is_to_be_done_follows_from_age_and_answers() {
    let parent = yes(Giver::Parent, "2026-09-01");
    // Under twelve.
    assert_eq!(next(&[], "2026-10-06"), Some(NextStep::AskTheParents));
    assert_eq!(next(&[parent], "2026-10-06"), None);
    assert_eq!(
        next(&[no(Giver::Parent, "2026-09-01")], "2026-10-06"),
        Some(NextStep::Close)
    );
    // The day the pupil turns twelve.
    assert_eq!(next(&[parent], "2026-10-07"), Some(NextStep::AskThePupilToo));
    assert_eq!(next(&[], "2026-10-07"), Some(NextStep::AskThePupil));
    assert_eq!(
        next(&[no(Giver::Parent, "2026-09-01")], "2026-10-07"),
        Some(NextStep::AskThePupil)
    );
    assert_eq!(next(&[parent, yes(Giver::Pupil, "2026-10-07")], "2026-10-07"), None);
    assert_eq!(
        next(&[parent, no(Giver::Pupil, "2026-10-07")], "2026-10-07"),
        Some(NextStep::Close)
    );
    // Taken back is a no, over in time is none.
    let pupil = yes(Giver::Pupil, "2026-10-07");
    let taken_back = Consent {
        revoked_on: Some(day("2026-10-20")),
        ..pupil
    };
    assert_eq!(next(&[taken_back], "2026-10-19"), None);
    assert_eq!(next(&[taken_back], "2026-10-20"), Some(NextStep::Close));
    let over = Consent {
        ends_on: Some(day("2026-11-01")),
        ..pupil
    };
    assert_eq!(next(&[over], "2026-11-01"), Some(NextStep::AskThePupil));
    // What was answered of anything else is no answer.
    let other = Consent {
        to: ConsentTo::Referral,
        ..no(Giver::Pupil, "2026-10-07")
    };
    assert_eq!(next(&[other], "2026-10-08"), Some(NextStep::AskThePupil));
}

/// Of two answers of one day the refusal counts, in whatever order they were noted.
#[test]
fn a_no_of_the_same_day_closes() {
    let (said_yes, said_no) = (yes(Giver::Pupil, "2026-10-08"), no(Giver::Pupil, "2026-10-08"));
    for answers in [[said_yes, said_no], [said_no, said_yes]] {
        assert_eq!(next(&answers, "2026-10-09"), Some(NextStep::Close));
    }
}

#[test]
fn of_unknown_age_the_team_is_asked() {
    let answers = [yes(Giver::Parent, "2026-09-01")];
    let step = law().next(OPEN, Minor::default(), &answers, day("2026-10-07"));
    assert_eq!(step, Some(NextStep::JudgeCapability));
}

#[test]
fn what_obliges_asks_for_nothing_until_it_lapses() {
    let truancy = Course {
        obligation: Some(Obligation::CompulsoryEducation),
        ..OPEN
    };
    let refused = [no(Giver::Pupil, "2026-10-07")];
    let on = |course, answers: &[Consent]| law().next(course, minor(), answers, day("2026-10-08"));
    assert_eq!(on(truancy, &refused), None);
    let lapsed = Course {
        lapsed: true,
        ..truancy
    };
    assert_eq!(on(lapsed, &[]), Some(NextStep::AskOrClose));
    assert_eq!(on(lapsed, &[yes(Giver::Pupil, "2026-10-07")]), None);
    assert_eq!(on(lapsed, &refused), Some(NextStep::Close));
    let closed = Course { open: false, ..lapsed };
    assert_eq!(on(closed, &[]), None, "of what is over nothing is asked");
}
