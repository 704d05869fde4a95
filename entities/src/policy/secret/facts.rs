//! What a decision rested on, as the access log keeps it: short words without ids, dates or content, and enough to decide
//! the same question again by other rules (`policy replay`).

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::case::{Case, Viewer};
use super::field::{Asked, Class, Field, Step};
use super::rules::{Rule, Says};
use super::ties::{Access, Lent, Place, Posted, TieRows, Ties, Urgency, holds};
use super::verdict::Code;
use super::viewer;
use crate::dossier::{Domain, Post};
use crate::id::TrajectoryId;
use crate::law::consent::Decides;
use crate::operation::{Discipline, NotInList, Operation, Purpose, Role};
use crate::policy::Relations;
use crate::time::{Period, brussels_day};

/// The relations that held when it was decided, each as one word; of a place or a loan only its domain or class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    discipline: Option<Discipline>,
    decides: Decides,
    /// Words that are there or not, of [`SIGNS`].
    signs: Vec<&'static str>,
    posts: Vec<Post>,
    places: Vec<Domain>,
    lent: Vec<Class>,
    urgencies: Vec<Class>,
    accesses: Vec<Opened>,
}

/// Something that was opened to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Opened {
    class: Class,
    through_doctor: bool,
    pupil_consents: bool,
    pupil_objects: bool,
}

const COMPETENT: &str = "competent";
const ENROLLED: &str = "enrolled";
const IS_THE_PUPIL: &str = "is-the-pupil";
const AUTHORITY: &str = "authority";
const CONTROLS: &str = "controls";
const REVIEWED: &str = "log-reviewed";
const MACHINES: &str = "machines-agreed";
const SIGNS: [&str; 7] = [
    COMPETENT,
    ENROLLED,
    IS_THE_PUPIL,
    AUTHORITY,
    CONTROLS,
    REVIEWED,
    MACHINES,
];

const DECIDES: [(Decides, &str); 3] = [
    (Decides::Pupil, "pupil"),
    (Decides::Parents, "parents"),
    (Decides::Unknown, "unknown"),
];

/// What else a line of the log says of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// The role that asked.
    pub role: Role,
    /// Why, where it was said.
    pub purpose: Option<Purpose>,
    /// Whether the sign-in was strong and fresh.
    pub assured: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// What comes of a question that is decided again. It opens nothing: it is no [`super::Grant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As if the pupil were unknown.
    Nothing,
    /// Withheld for this reason.
    Withheld(Code),
    /// Granted by the rule of this name.
    Granted(&'static str),
}

impl Facts {
    /// What holds of one viewer and one pupil in this operation; nothing of who is no principal now.
    pub fn of(operation: &Operation, relations: &Relations, ties: &Ties) -> Option<Self> {
        // Whether the sign-in was strong stands in the line.
        let (_, viewer) = viewer(operation, relations, false)?;
        Some(Self::held(&viewer, ties.rows()))
    }

    pub(super) fn held(viewer: &Viewer, rows: &TieRows) -> Self {
        let (day, now) = (viewer.day, viewer.now);
        let signs = [
            (holds(&rows.competent, day), COMPETENT),
            (holds(&rows.enrolled, day), ENROLLED),
            (holds(&rows.is_the_pupil, day), IS_THE_PUPIL),
            (holds(&rows.authority, day), AUTHORITY),
            (rows.controls, CONTROLS),
            (rows.log_reviewed, REVIEWED),
            (rows.machines_agreed, MACHINES),
        ];
        let signs: Vec<&str> = signs
            .into_iter()
            .filter_map(|(holds, sign)| holds.then_some(sign))
            .collect();
        // Of a pupil of others as of nobody: what others know of it is not told by a line either (R11).
        let related = [COMPETENT, ENROLLED, IS_THE_PUPIL, AUTHORITY, CONTROLS];
        let is_related = signs.iter().any(|sign| related.contains(sign));
        let decides = if is_related { rows.decides } else { Decides::Unknown };
        let posts = rows.posts.iter().filter(|one| is_related && one.period.contains(day));
        let places = rows.places.iter().filter(|one| one.period.contains(day));
        let lent = rows.lent.iter().filter(|one| one.from <= now && now < one.until);
        let urgencies = rows.urgencies.iter();
        let urgencies = urgencies.filter(|one| one.from <= now && now < one.until);
        let accesses = rows.accesses.iter().filter(|one| one.period.contains(day));
        Self {
            discipline: viewer.discipline,
            decides,
            signs,
            posts: each(posts.map(|one| one.post)),
            places: each(places.map(|one| one.domain)),
            lent: each(lent.map(|one| one.class)),
            urgencies: each(urgencies.map(|one| one.class)),
            accesses: each(accesses.map(|one| Opened {
                class: one.class,
                through_doctor: one.through_doctor,
                pupil_consents: one.pupil_consents,
                pupil_objects: one.pupil_objects,
            })),
        }
    }

    /// How these rules decide the question, on what held then.
    pub fn decide(&self, past: &Past, asked: Asked, rules: &[Rule]) -> Outcome {
        let viewer = Viewer {
            role: past.role,
            discipline: self.discipline,
            purpose: past.purpose,
            assured: past.assured,
            now: past.at,
            day: brussels_day(past.at),
        };
        let rows = self.rows(&viewer);
        let case = Case {
            viewer: &viewer,
            rows: &rows,
            asked,
        };
        let by = rules.iter().find(|rule| (rule.applies)(&case));
        match by.map(|rule| (rule.name, rule.says)) {
            Some((_, Says::Nothing)) => Outcome::Nothing,
            Some((_, Says::Withhold(code, _))) => Outcome::Withheld(code),
            Some((name, Says::Grant(_))) => Outcome::Granted(name),
            // Undecided is denied.
            None => Outcome::Withheld(Code::Secrecy),
        }
    }

    /// The facts as rows that hold at that moment. Nothing is opened by them: of which trajectory they are is not known.
    fn rows(&self, viewer: &Viewer) -> TieRows {
        let period = Period {
            begins: viewer.day,
            ends: None,
        };
        let (from, until) = (viewer.now, DateTime::<Utc>::MAX_UTC);
        let trajectory = TrajectoryId(uuid::Uuid::nil());
        let held = |sign| {
            if self.signs.contains(&sign) {
                vec![period]
            } else {
                Vec::new()
            }
        };
        let posts = self.posts.iter();
        let places = self.places.iter();
        let lent = self.lent.iter();
        let urgencies = self.urgencies.iter();
        let accesses = self.accesses.iter();
        TieRows {
            competent: held(COMPETENT),
            enrolled: held(ENROLLED),
            is_the_pupil: held(IS_THE_PUPIL),
            authority: held(AUTHORITY),
            posts: posts.map(|post| Posted { post: *post, period }).collect(),
            places: places
                .map(|domain| Place {
                    trajectory,
                    domain: *domain,
                    period,
                })
                .collect(),
            accesses: accesses
                .map(|one| Access {
                    class: one.class,
                    trajectory,
                    through_doctor: one.through_doctor,
                    pupil_consents: one.pupil_consents,
                    pupil_objects: one.pupil_objects,
                    period,
                })
                .collect(),
            lent: lent
                .map(|class| Lent {
                    class: *class,
                    trajectory,
                    from,
                    until,
                })
                .collect(),
            urgencies: urgencies
                .map(|class| Urgency {
                    class: *class,
                    from,
                    until,
                })
                .collect(),
            decides: self.decides,
            controls: self.signs.contains(&CONTROLS),
            log_reviewed: self.signs.contains(&REVIEWED),
            machines_agreed: self.signs.contains(&MACHINES),
        }
    }
}

/// Each once, in order.
fn each<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_unstable();
    all.dedup();
    all
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decides = DECIDES.iter().find(|(decides, _)| *decides == self.decides);
        write!(f, "decides={}", decides.map_or("unknown", |(_, name)| name))?;
        if let Some(discipline) = self.discipline {
            write!(f, " discipline={discipline}")?;
        }
        self.signs.iter().try_for_each(|sign| write!(f, " {sign}"))?;
        self.posts.iter().try_for_each(|post| write!(f, " post={post}"))?;
        self.places.iter().try_for_each(|domain| write!(f, " place={domain}"))?;
        self.lent.iter().try_for_each(|class| write!(f, " lent={class}"))?;
        self.urgencies
            .iter()
            .try_for_each(|class| write!(f, " urgency={class}"))?;
        for one in &self.accesses {
            write!(f, " opened={}", one.class)?;
            for (holds, sign) in [
                (one.through_doctor, "doctor"),
                (one.pupil_consents, "consents"),
                (one.pupil_objects, "objects"),
            ] {
                if holds {
                    write!(f, "+{sign}")?;
                }
            }
        }
        Ok(())
    }
}

impl FromStr for Opened {
    type Err = NotInList;

    fn from_str(text: &str) -> Result<Self, NotInList> {
        let mut words = text.split('+');
        let class = words.next().unwrap_or_default().parse()?;
        let mut opened = Self {
            class,
            through_doctor: false,
            pupil_consents: false,
            pupil_objects: false,
        };
        for word in words {
            match word {
                "doctor" => opened.through_doctor = true,
                "consents" => opened.pupil_consents = true,
                "objects" => opened.pupil_objects = true,
                _ => return Err(NotInList),
            }
        }
        Ok(opened)
    }
}

/// A word that this version does not know is an error: on half the facts nothing is decided.
impl FromStr for Facts {
    type Err = NotInList;

    fn from_str(text: &str) -> Result<Self, NotInList> {
        let mut facts = Self {
            discipline: None,
            decides: Decides::Unknown,
            signs: Vec::new(),
            posts: Vec::new(),
            places: Vec::new(),
            lent: Vec::new(),
            urgencies: Vec::new(),
            accesses: Vec::new(),
        };
        let mut decides = None;
        for word in text.split(' ') {
            match word.split_once('=') {
                None => {
                    let sign = SIGNS.into_iter().find(|sign| *sign == word);
                    facts.signs.push(sign.ok_or(NotInList)?);
                }
                Some(("decides", name)) => {
                    let known = DECIDES.into_iter().find(|(_, known)| *known == name);
                    decides = Some(known.ok_or(NotInList)?.0);
                }
                Some(("discipline", name)) => facts.discipline = Some(name.parse()?),
                Some(("post", name)) => facts.posts.push(name.parse()?),
                Some(("place", name)) => facts.places.push(name.parse()?),
                Some(("lent", name)) => facts.lent.push(name.parse()?),
                Some(("urgency", name)) => facts.urgencies.push(name.parse()?),
                Some(("opened", words)) => facts.accesses.push(words.parse()?),
                Some(_) => return Err(NotInList),
            }
        }
        facts.decides = decides.ok_or(NotInList)?;
        Ok(facts)
    }
}

impl Asked {
    /// What a line of the log was about: `read` or the step, and the field or the class.
    pub fn of_line(action: &str, what: &str) -> Option<Self> {
        match action {
            "read" => what.parse::<Field>().ok().map(Self::Read).or_else(|| {
                // Requests for access are read by who may answer them.
                let class = what.parse().ok()?;
                Some(Self::Do(Step::AnswerRequest, class))
            }),
            step => Some(Self::Do(step.parse().ok()?, what.parse().ok()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::personas;
    use super::super::rules::RULES;
    use super::super::verdict::Verdict;
    use super::*;

    /// Whatever can be asked.
    fn all() -> Vec<Asked> {
        let steps = Step::ALL.iter();
        let steps = steps.flat_map(|step| Class::ALL.iter().map(|class| Asked::Do(*step, *class)));
        Field::all().map(Asked::Read).chain(steps).collect()
    }

    #[test]
    fn what_the_log_keeps_is_enough_to_decide_again() {
        let mut outcomes = 0;
        for persona in personas() {
            let (viewer, ties) = persona.case();
            let kept = Facts::held(viewer, ties.rows()).to_string();
            let facts: Facts = kept.parse().unwrap_or_else(|_| panic!("{kept}"));
            assert_eq!(facts.to_string(), kept);
            let past = Past {
                role: viewer.role,
                purpose: viewer.purpose,
                assured: viewer.assured,
                at: viewer.now,
            };
            for asked in all() {
                let explained = persona.explain(asked);
                let expected = match explained.verdict {
                    Verdict::Nothing => Outcome::Nothing,
                    Verdict::Withheld(why) => Outcome::Withheld(why.code()),
                    Verdict::Granted(grant) => Outcome::Granted(grant.rule()),
                };
                assert_eq!(facts.decide(&past, asked, RULES), expected, "{}: {asked}", persona.name);
                outcomes += 1;
            }
        }
        assert!(outcomes > 1_000, "{outcomes}");
    }

    #[test]
    fn facts_that_are_not_all_known_are_not_read() {
        for text in [
            "",
            "competent",
            "decides=nobody",
            "decides=pupil something",
            "decides=pupil place=kitchen",
            "decides=pupil opened=secret.medical+friend",
            "decides=pupil  competent",
        ] {
            assert!(text.parse::<Facts>().is_err(), "{text:?}");
        }
        let text = "decides=parents authority opened=secret.medical+doctor+objects";
        assert_eq!(
            text.parse::<Facts>().map(|facts| facts.to_string()).as_deref(),
            Ok(text)
        );
    }

    #[test]
    fn a_line_says_what_it_was_about() {
        let read = Field::new(Class::Medical, super::super::Part::Entries).map(Asked::Read);
        assert_eq!(Asked::of_line("read", "secret.medical/entries"), read);
        for asked in all() {
            let (action, what) = match asked {
                Asked::Read(field) => ("read", field.to_string()),
                Asked::Do(step, class) => (step.name(), class.to_string()),
            };
            assert_eq!(Asked::of_line(action, &what), Some(asked));
        }
        assert_eq!(Asked::of_line("erase", "secret.medical"), None);
        assert_eq!(Asked::of_line("read", "secret.medical/kitchen"), None);
    }
}
