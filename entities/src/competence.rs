//! Which CLB is competent for a pupil (bevoegd CLB), and why: by enrolment at one of its schools,
//! by the last enrolment until another CLB takes over (domain facts §4.2), by home education, or
//! on the pupil's own request, so that pupils without a school do not vanish.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::id::{ClbId, CompetenceId, PupilId, SchoolId};
use crate::operation::closed_enum;
use crate::time::Period;

closed_enum! {
    /// Why a CLB is competent.
    Ground {
        /// The pupil is enrolled at a school of this CLB.
        Enrolment = "enrolment",
        /// The pupil was last enrolled at a school of this CLB and is enrolled nowhere since.
        LastEnrolment = "last_enrolment",
        /// Home education (huisonderwijs).
        HomeEducation = "home_education",
        /// The pupil asked this CLB.
        OwnRequest = "own_request",
    }
}

/// One tie, from a day until a day.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "competence")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CompetenceId,
    /// The pupil.
    pub pupil_id: PupilId,
    /// The CLB.
    pub clb_id: ClbId,
    /// Why.
    pub ground: Ground,
    /// The first day.
    pub begins_on: Date,
    /// The first day no longer competent.
    pub ends_on: Option<Date>,
}

/// No relations are followed by the ORM: joins are written where the scope is.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An enrolment as far as competence needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enrolled {
    /// Where.
    pub school: SchoolId,
    /// When.
    pub period: Period,
}

/// An agreement in force as far as competence needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serves {
    /// The school served.
    pub school: SchoolId,
    /// The CLB that serves it.
    pub clb: ClbId,
    /// When.
    pub period: Period,
}

/// A tie that follows from enrolments and agreements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Derived {
    /// The CLB.
    pub clb: ClbId,
    /// From when until when.
    pub period: Period,
    /// Why: of what is derived `Enrolment` or `LastEnrolment`.
    pub ground: Ground,
}

/// The ties that follow from a pupil's enrolments and the agreements of those schools.
///
/// On each day the competent CLBs are those serving a school where the pupil is enrolled; on a day
/// without any, those of the last day that had one stay competent.
pub fn derive(enrolled: &[Enrolled], serves: &[Serves]) -> Vec<Derived> {
    let by_enrolment: Vec<(ClbId, Period)> = enrolled
        .iter()
        .flat_map(|one| {
            let of_school = serves.iter().filter(|agreement| agreement.school == one.school);
            of_school.filter_map(|agreement| Some((agreement.clb, overlap(one.period, agreement.period)?)))
        })
        .collect();
    let mut borders: BTreeSet<NaiveDate> = BTreeSet::new();
    for (_, period) in &by_enrolment {
        borders.insert(period.begins);
        borders.extend(period.ends);
    }

    let mut derived: Vec<Derived> = Vec::new();
    let mut last: BTreeSet<ClbId> = BTreeSet::new();
    let mut days = borders.iter().copied().peekable();
    while let Some(begins) = days.next() {
        let period = Period {
            begins,
            ends: days.peek().copied(),
        };
        let now: BTreeSet<ClbId> = by_enrolment
            .iter()
            .filter(|(_, of)| of.contains(begins))
            .map(|(clb, _)| *clb)
            .collect();
        let (clbs, ground) = if now.is_empty() {
            (&last, Ground::LastEnrolment)
        } else {
            (&now, Ground::Enrolment)
        };
        for clb in clbs {
            extend(
                &mut derived,
                Derived {
                    clb: *clb,
                    period,
                    ground,
                },
            );
        }
        if !now.is_empty() {
            last = now;
        }
    }
    derived.sort_unstable();
    derived
}

/// Joins a tie to the one it continues, so that an unrelated border makes no second row.
fn extend(derived: &mut Vec<Derived>, next: Derived) {
    let continues = |one: &&mut Derived| {
        one.clb == next.clb && one.ground == next.ground && one.period.ends == Some(next.period.begins)
    };
    match derived.iter_mut().find(continues) {
        Some(before) => before.period.ends = next.period.ends,
        None => derived.push(next),
    }
}

fn overlap(one: Period, other: Period) -> Option<Period> {
    let begins = one.begins.max(other.begins);
    let ends = match (one.ends, other.ends) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    ends.is_none_or(|ends| begins < ends).then_some(Period { begins, ends })
}

/// Who is to keep the dossier that a CLB has of a pupil.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// That CLB, still: it is competent, or no other is by enrolment (domain facts §4.2).
    Stays,
    /// The CLB of the school where the pupil is enrolled now, competent so since that day.
    GoesTo(ClbId, NaiveDate),
    /// One of several CLBs, and nobody says which.
    OneOfSeveral,
}

/// Who is to keep the dossier of a pupil with these ties that this CLB has, on this day.
pub fn keeper(ties: &[Derived], clb: ClbId, day: NaiveDate) -> Keeper {
    let mut now: Vec<&Derived> = ties.iter().filter(|tie| tie.period.contains(day)).collect();
    if now.iter().any(|tie| tie.clb == clb) {
        return Keeper::Stays;
    }
    now.retain(|tie| tie.ground == Ground::Enrolment);
    let others: BTreeSet<ClbId> = now.iter().map(|tie| tie.clb).collect();
    match (
        others.len(),
        now.iter().map(|tie| tie.period.begins).min(),
        others.first(),
    ) {
        (1, Some(since), Some(to)) => Keeper::GoesTo(*to, since),
        (0, ..) => Keeper::Stays,
        _ => Keeper::OneOfSeveral,
    }
}

/// Whether this CLB was competent on any day after this one.
pub fn since(ties: &[Derived], clb: ClbId, day: NaiveDate) -> bool {
    let mut own = ties.iter().filter(|tie| tie.clb == clb);
    own.any(|tie| tie.period.ends.is_none_or(|ends| ends > day))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn period(begins: &str, ends: &str) -> Period {
        Period {
            begins: day(begins),
            ends: (!ends.is_empty()).then(|| day(ends)),
        }
    }

    const NORTH: SchoolId = SchoolId(Uuid::from_u128(1));
    const SOUTH: SchoolId = SchoolId(Uuid::from_u128(2));
    const RED: ClbId = ClbId(Uuid::from_u128(1));
    const BLUE: ClbId = ClbId(Uuid::from_u128(2));
    const GREEN: ClbId = ClbId(Uuid::from_u128(3));

    fn tie(clb: ClbId, ground: Ground, begins: &str, ends: &str) -> Derived {
        Derived {
            clb,
            period: period(begins, ends),
            ground,
        }
    }

    /// Domain facts §4.2: the old CLB stays competent until the pupil is enrolled with another one.
    #[test]
    fn the_dossier_goes_to_the_clb_of_the_new_school() {
        use Ground::{Enrolment, HomeEducation, LastEnrolment, OwnRequest};
        let of_red = tie(RED, Enrolment, "2026-09-01", "2026-10-05");
        let to_blue = tie(BLUE, Enrolment, "2026-10-05", "");
        let on = |ties: &[Derived], text: &str| keeper(ties, RED, day(text));
        assert_eq!(on(&[of_red, to_blue], "2026-10-04"), Keeper::Stays);
        let goes = Keeper::GoesTo(BLUE, day("2026-10-05"));
        assert_eq!(on(&[of_red, to_blue], "2026-10-05"), goes);
        assert_eq!(on(&[to_blue], "2026-10-05"), goes, "as if it had never been red's");
        // Enrolled nowhere, or at home, or by its own request: nothing goes.
        let last = tie(RED, LastEnrolment, "2026-10-05", "");
        assert_eq!(on(&[of_red, last], "2026-10-05"), Keeper::Stays);
        for ground in [HomeEducation, OwnRequest, LastEnrolment] {
            let other = tie(BLUE, ground, "2026-10-05", "");
            assert_eq!(on(&[of_red, other], "2026-10-05"), Keeper::Stays, "{ground}");
        }
        // At both, and where the pupil asked red.
        let asked = tie(RED, OwnRequest, "2026-10-01", "");
        assert_eq!(on(&[of_red, asked, to_blue], "2026-10-05"), Keeper::Stays);
        let to_green = tie(GREEN, Enrolment, "2026-10-06", "");
        assert_eq!(on(&[of_red, to_blue, to_green], "2026-10-05"), goes);
        assert_eq!(on(&[of_red, to_blue, to_green], "2026-10-06"), Keeper::OneOfSeveral);
    }

    #[test]
    fn who_was_competent_since() {
        let ties = [tie(RED, Ground::Enrolment, "2026-09-01", "2026-10-05")];
        assert!(since(&ties, RED, day("2026-10-04")));
        assert!(!since(&ties, RED, day("2026-10-05")));
        assert!(!since(&ties, BLUE, day("2026-01-01")));
        assert!(since(
            &[tie(RED, Ground::OwnRequest, "2026-09-01", "")],
            RED,
            day("2030-01-01")
        ));
    }

    #[test]
    fn follows_the_enrolment_and_outlives_it_until_another_takes_over() {
        let serves = [
            Serves {
                school: NORTH,
                clb: RED,
                period: period("2020-09-01", ""),
            },
            Serves {
                school: SOUTH,
                clb: BLUE,
                period: period("2020-09-01", ""),
            },
        ];
        let enrolled = [
            Enrolled {
                school: NORTH,
                period: period("2026-09-01", "2026-11-01"),
            },
            Enrolled {
                school: SOUTH,
                period: period("2026-12-01", ""),
            },
        ];
        assert_eq!(
            derive(&enrolled, &serves),
            [
                Derived {
                    clb: RED,
                    period: period("2026-09-01", "2026-11-01"),
                    ground: Ground::Enrolment
                },
                Derived {
                    clb: RED,
                    period: period("2026-11-01", "2026-12-01"),
                    ground: Ground::LastEnrolment
                },
                Derived {
                    clb: BLUE,
                    period: period("2026-12-01", ""),
                    ground: Ground::Enrolment
                },
            ]
        );
    }

    #[test]
    fn nobody_is_competent_before_the_agreement() {
        let serves = [Serves {
            school: NORTH,
            clb: RED,
            period: period("2026-10-01", ""),
        }];
        let enrolled = [Enrolled {
            school: NORTH,
            period: period("2026-09-01", ""),
        }];
        assert_eq!(
            derive(&enrolled, &serves),
            [Derived {
                clb: RED,
                period: period("2026-10-01", ""),
                ground: Ground::Enrolment
            }]
        );
        assert_eq!(derive(&enrolled, &[]), []);
    }

    #[test]
    fn two_schools_make_two_clbs_competent_and_borders_do_not_split() {
        let serves = [
            Serves {
                school: NORTH,
                clb: RED,
                period: period("2020-09-01", ""),
            },
            Serves {
                school: SOUTH,
                clb: BLUE,
                period: period("2020-09-01", ""),
            },
        ];
        let enrolled = [
            Enrolled {
                school: NORTH,
                period: period("2026-09-01", ""),
            },
            Enrolled {
                school: SOUTH,
                period: period("2026-10-01", "2026-11-01"),
            },
        ];
        assert_eq!(
            derive(&enrolled, &serves),
            [
                Derived {
                    clb: RED,
                    period: period("2026-09-01", ""),
                    ground: Ground::Enrolment
                },
                Derived {
                    clb: BLUE,
                    period: period("2026-10-01", "2026-11-01"),
                    ground: Ground::Enrolment
                },
            ]
        );
    }
}
