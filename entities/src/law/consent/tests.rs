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

fn minor() -> Minor {
    Minor {
        born: Some(day(BORN)),
        judged: None,
    }
}

fn judged(capability: Capability) -> Minor {
    Minor {
        judged: Some(capability),
        ..minor()
    }
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
        judged: None,
    };
    assert_eq!(law().decides(leap, day("2024-02-28")), Decides::Parents);
    assert_eq!(law().decides(leap, day("2024-02-29")), Decides::Pupil);
    let common = Minor {
        born: Some(day("2016-02-29")),
        judged: None,
    };
    assert_eq!(law().decides(common, day("2028-02-29")), Decides::Pupil);
    assert_eq!(law().decides(common, day("2028-02-28")), Decides::Parents);
}

#[test]
fn the_team_may_decide_otherwise_both_ways() {
    assert_eq!(
        law().decides(judged(Capability::Capable), day("2022-01-01")),
        Decides::Pupil
    );
    assert_eq!(
        law().decides(judged(Capability::NotCapable), day("2030-01-01")),
        Decides::Parents
    );
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
        judged: Some(Capability::Capable),
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
