//! Records that say something else of one half-day.

use super::*;

#[test]
fn a_disagreement_is_pending_and_not_b() {
    let world = World::new();
    for other in Mark::ALL.into_iter().filter(|mark| *mark != B) {
        let mut marks = four();
        marks.push(said(2, "2026-09-10 PM", other));
        let tally = world.tally(&marks, &[]);
        assert_eq!((tally.count, tally.pending), (3, 1), "{other:?}");
        assert_eq!(tally.conflicts, [at("2026-09-10 PM")], "{other:?}");
    }
    let nobody_says_b = [said(1, "2026-09-10 PM", Z), said(2, "2026-09-10 PM", Mark::NoLongerB)];
    assert_eq!(world.tally(&nobody_says_b, &[]), Tally::default());
}

/// Design §4: two *valid* enrolments that disagree. A school that the pupil has left, or is not at yet, contradicts nobody.
#[test]
fn who_is_not_enrolled_there_is_contradicted_by_nobody() {
    let world = World::new();
    let elsewhere = |by, mark| HalfDayMark {
        enrolled: false,
        ..said(by, "2026-09-10 PM", mark)
    };
    let outcome = |of: &[HalfDayMark]| {
        let tally = world.tally(&[&four()[..3], of].concat(), &[]);
        (tally.count, tally.pending, tally.conflicts.len())
    };
    let here = |mark| said(1, "2026-09-10 PM", mark);
    for other in Mark::ALL {
        assert_eq!(outcome(&[here(B), elsewhere(2, other)]), (4, 0, 0), "{other:?}");
        assert_eq!(outcome(&[here(Z), elsewhere(2, other)]), (3, 0, 0), "{other:?}");
    }
    let waits = here(Mark::Unresolved);
    assert_eq!(outcome(&[waits, elsewhere(2, B)]), (3, 1, 0));
    // Where nobody else speaks, nothing is lost; and none of several such is believed.
    assert_eq!(outcome(&[elsewhere(2, B)]), (4, 0, 0));
    assert_eq!(outcome(&[elsewhere(2, B), elsewhere(3, B)]), (4, 0, 0));
    assert_eq!(outcome(&[elsewhere(2, B), elsewhere(3, Z)]), (3, 1, 0));
    assert_eq!(
        outcome(&[elsewhere(2, Z), elsewhere(3, Mark::UnknownLetter)]),
        (3, 1, 0)
    );
}
