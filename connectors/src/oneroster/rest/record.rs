//! One record of a list: the fields that the hub takes over, and which others said something.

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};

use super::tally::Tally;
use super::value::{Holds, Name, Value};
use crate::json::rule_of;
use crate::roster::Status;

/// The fields of one list. The name of the list is also what an answer calls it (standards §1.2).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) list: &'static str,
    /// Looked at.
    pub(super) kept: &'static [&'static str],
    /// Not needed, and nothing is lost with them: what they say is said elsewhere too.
    pub(super) spare: &'static [&'static str],
    /// The standard's, with no place in the hub: told when they hold something.
    pub(super) dropped: &'static [&'static str],
}

pub(super) const ORGS: Table = Table {
    list: "orgs",
    kept: &["sourcedId", "status", "dateLastModified", "name", "type", "identifier"],
    spare: &["parent", "children"],
    dropped: &["metadata"],
};

pub(super) const SESSIONS: Table = Table {
    list: "academicSessions",
    kept: &[
        "sourcedId",
        "status",
        "dateLastModified",
        "title",
        "startDate",
        "endDate",
        "schoolYear",
    ],
    spare: &["type", "parent", "children"],
    dropped: &["metadata"],
};

pub(super) const CLASSES: Table = Table {
    list: "classes",
    kept: &[
        "sourcedId",
        "status",
        "dateLastModified",
        "title",
        "classCode",
        "classType",
        "grades",
        "school",
        "terms",
    ],
    spare: &["course"],
    dropped: &[
        "location",
        "subjects",
        "subjectCodes",
        "periods",
        "resources",
        "metadata",
    ],
};

pub(super) const USERS: Table = Table {
    list: "users",
    kept: &[
        "sourcedId",
        "status",
        "dateLastModified",
        "role",
        "orgs",
        "roles",
        "userIds",
        "givenName",
        "familyName",
        "identifier",
        "email",
        "sms",
        "phone",
        "agents",
        "metadata",
    ],
    spare: &["enabledUser", "primaryOrg"],
    dropped: &[
        "username",
        "middleName",
        "grades",
        "password",
        "userMasterIdentifier",
        "preferredFirstName",
        "preferredMiddleName",
        "preferredLastName",
        "pronouns",
        "userProfiles",
        "resources",
    ],
};

pub(super) const DEMOGRAPHICS: Table = Table {
    list: "demographics",
    kept: &["sourcedId", "status", "dateLastModified", "birthDate", "sex"],
    spare: &[],
    dropped: &[
        "americanIndianOrAlaskaNative",
        "asian",
        "blackOrAfricanAmerican",
        "nativeHawaiianOrOtherPacificIslander",
        "white",
        "demographicRaceTwoOrMoreRaces",
        "hispanicOrLatinoEthnicity",
        "countryOfBirthCode",
        "stateOfBirthAbbreviation",
        "cityOfBirth",
        "publicSchoolResidenceStatus",
        "metadata",
    ],
};

pub(super) const ENROLLMENTS: Table = Table {
    list: "enrollments",
    kept: &[
        "sourcedId",
        "status",
        "dateLastModified",
        "class",
        "school",
        "user",
        "role",
        "beginDate",
        "endDate",
    ],
    spare: &["primary"],
    dropped: &["metadata"],
};

/// One record.
pub(super) struct Record<'a> {
    table: &'static Table,
    /// By position in [`Table::kept`].
    values: Vec<Value<'a>>,
    /// By position in [`Table::dropped`], as bits.
    dropped: u32,
    /// Whether a field that the standard does not know says something.
    own: bool,
}

impl<'a> Record<'a> {
    /// Reads a record.
    ///
    /// # Errors
    /// It is no JSON object; with the rule.
    pub(super) fn read(table: &'static Table, json: &'a [u8]) -> Result<Self, &'static str> {
        // Judged once as a whole, and not string by string.
        let text = std::str::from_utf8(json).map_err(|_other_encoding| "json.syntax")?;
        let mut from = serde_json::Deserializer::from_str(text);
        let record = Fields(table).deserialize(&mut from).map_err(|error| rule_of(&error))?;
        from.end().map_err(|error| rule_of(&error))?;
        Ok(record)
    }

    /// The value of a field that is looked at.
    pub(super) fn value(&self, name: &'static str) -> &Value<'a> {
        let place = self.table.kept.iter().position(|kept| *kept == name);
        place.and_then(|at| self.values.get(at)).unwrap_or(&Value::Nothing)
    }

    /// A text. One that is not a text is lost, and told.
    pub(super) fn text(&self, name: &'static str, tally: &mut Tally) -> Option<&str> {
        match self.value(name) {
            Value::Nothing => None,
            Value::Text(text) => Some(text),
            _ => {
                tally.lose("oneroster.wrong_type", self.table.list, name);
                None
            }
        }
    }

    /// A text without which the record means nothing.
    pub(super) fn must(&self, name: &'static str, tally: &mut Tally) -> Option<&str> {
        self.needed(name, self.value(name).text(), tally)
    }

    /// What a reference points at without which the record means nothing.
    pub(super) fn must_key(&self, name: &'static str, tally: &mut Tally) -> Option<&str> {
        self.needed(name, self.value(name).key(), tally)
    }

    /// The record's own key.
    pub(super) fn id(&self, tally: &mut Tally) -> Option<&str> {
        let id = self.must("sourcedId", tally)?;
        if id.len() > 255 || id.contains(char::is_whitespace) {
            tally.lose("oneroster.key", self.table.list, "sourcedId");
            return None;
        }
        Some(id)
    }

    fn needed<'t>(&self, name: &'static str, found: Option<&'t str>, tally: &mut Tally) -> Option<&'t str> {
        if found.is_none() {
            let rule = match self.value(name) {
                Value::Nothing => "oneroster.missing_field",
                _ => "oneroster.wrong_type",
            };
            tally.lose(rule, self.table.list, name);
        }
        found
    }

    /// A day; a time behind it is cut off.
    ///
    /// # Errors
    /// It is there and cannot be read; that is told.
    pub(super) fn day(&self, name: &'static str, tally: &mut Tally) -> Result<Option<NaiveDate>, ()> {
        match self.value(name) {
            Value::Nothing => Ok(None),
            value => day(value)
                .map(Some)
                .ok_or_else(|| tally.lose("oneroster.date", self.table.list, name)),
        }
    }

    /// Whether it is there or taken away; none when nobody can tell, and that is told.
    pub(super) fn status(&self, tally: &mut Tally) -> Option<Status> {
        match self.value("status") {
            Value::Nothing => Some(Status::Active),
            Value::Text(text) if text.eq_ignore_ascii_case("active") => Some(Status::Active),
            Value::Text(text) if text.eq_ignore_ascii_case("tobedeleted") => Some(Status::Gone),
            _ => {
                tally.lose("oneroster.status", self.table.list, "status");
                None
            }
        }
    }

    /// When it was changed, by the clock of the source.
    pub(super) fn changed(&self) -> Option<DateTime<Utc>> {
        let text = self.value("dateLastModified").text()?;
        DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
    }

    /// The names of what was not taken over, as `list.field`. A field of the server's own is not called by its name,
    /// which may say anything.
    pub(super) fn dropped(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let list = self.table.list;
        let known = self.table.dropped.iter().enumerate();
        let known = known.filter(|(at, _)| self.dropped & 1_u32.checked_shl(bit(*at)).unwrap_or_default() != 0);
        let own = self.own.then_some((list, "own field"));
        known.map(move |(_, name)| (list, *name)).chain(own)
    }

    /// Whether anything was not taken over.
    pub(super) const fn drops(&self) -> bool {
        self.dropped != 0 || self.own
    }
}

/// A day of the standard, in a text.
pub(super) fn day(value: &Value<'_>) -> Option<NaiveDate> {
    super::super::table::date(value.text()?).map(|(day, _)| day)
}

fn bit(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Reads the fields of a table.
struct Fields(&'static Table);

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = Record<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Record<'de>, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = Record<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Record<'de>, A::Error> {
        let table = self.0;
        let mut record = Record {
            table,
            values: table.kept.iter().map(|_| Value::Nothing).collect(),
            dropped: 0,
            own: false,
        };
        let mut met = 0_u32;
        while let Some(Name(name)) = fields.next_key()? {
            if let Some(at) = table.kept.iter().position(|kept| *kept == name) {
                let mask = 1_u32.checked_shl(bit(at)).unwrap_or_default();
                if met & mask != 0 {
                    return Err(A::Error::duplicate_field("of a record"));
                }
                met |= mask;
                if let Some(place) = record.values.get_mut(at) {
                    *place = fields.next_value()?;
                }
                continue;
            }
            // Looked through as everything else, so that what is no JSON is no record.
            let Holds(holds) = fields.next_value()?;
            if let Some(at) = table.dropped.iter().position(|dropped| *dropped == name) {
                let mask = 1_u32.checked_shl(bit(at)).unwrap_or_default();
                record.dropped |= if holds { mask } else { 0 };
            } else {
                record.own |= holds && !table.spare.iter().any(|spare| *spare == name);
            }
        }
        Ok(record)
    }
}
