//! One account as `getAllAccountsExtended` tells of it, reduced to what the hub has a place for.
//!
//! What is outside the map is not kept; only the name of the field is, and only if the vendor gave it that name: a
//! field of the school's own, whose label may say anything, is called by a number (design §3).

use chrono::NaiveDate;
use hub_entities::number::national::NationalNumber;
use hub_entities::number::register::RegisterNumber;

use super::envelope::Flaw;
use super::json::Fields;
use super::settings::UniqueField;
use crate::roster::{Contact, PupilRow, Says};

/// The largest account, in bytes.
pub(super) const MOST_ACCOUNT: usize = 1024 * 1024;
/// How many co-accounts an account has.
const CO_ACCOUNTS: u8 = 6;
/// `basisrol` of a pupil as it is read; it is written in words.
const PUPIL: &str = "1";

/// The fields that the hub has a place for, or that say what an account is.
const MAPPED: [&str; 18] = [
    "voornaam",
    "naam",
    "gebruikersnaam",
    "internnummer",
    "geslacht",
    "geboortedatum",
    "rijksregisternummer",
    "straat",
    "huisnummer",
    "busnummer",
    "postcode",
    "woonplaats",
    "emailadres",
    "mobielnummer",
    "telefoonnummer",
    "stamboeknummer",
    "basisrol",
    "groups",
];

/// The same of a co-account, before `_coaccount` and its number.
const MAPPED_OF_CO_ACCOUNT: [&str; 6] = ["voornaam", "naam", "email", "telefoonnummer", "mobielnummer", "type"];

/// The vendor's other fields. They are dropped and told by these names.
const DROPPED: [&str; 24] = [
    // Whether one may sign in, not whether one is at school: primary schools switch most of theirs off.
    "status",
    "referenceidentifier",
    "extravoornamen",
    "initialen",
    "roepnaam",
    "geboorteplaats",
    "geboorteland",
    "nationaliteitscode",
    "nationaliteit",
    "land",
    "website",
    "fax",
    "sorteerveld",
    "koppelingsveldschoolagenda",
    "klasnummer",
    "scannablecode",
    "soortleerling",
    "godsdienstkeuze",
    "schoolverlater",
    "isemailverified",
    "isauthenticatorappenabled",
    "last_successful_login",
    "instantmessaging",
    "untis",
];

/// A field that held something and has no place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dropped {
    /// One of the vendor's.
    Known(&'static str),
    /// One of the school's own, by its label: only to be numbered, never to be told.
    Own(String),
}

/// What was met in an account and could not be taken over, or only with a leniency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    BirthDate,
    Sex,
    NationalNumber,
    RegisterNumber,
}

impl Loss {
    pub(super) const fn rule(self) -> &'static str {
        match self {
            Self::BirthDate => "smartschool.birth_date",
            Self::Sex => "smartschool.sex",
            Self::NationalNumber => "smartschool.national_number",
            Self::RegisterNumber => "smartschool.register_number",
        }
    }
}

/// A pupil's account. It has no `Debug`: it is a person.
pub(super) struct Account {
    /// As the roster has it, without schools: these follow from the groups.
    pub(super) pupil: PupilRow,
    /// By which the absence calls may name the pupil.
    pub(super) user_name: String,
    pub(super) internal_number: String,
    /// The codes of the groups.
    pub(super) groups: Vec<String>,
    pub(super) dropped: Vec<Dropped>,
    pub(super) losses: Vec<Loss>,
}

impl Account {
    /// Reads an account; none when it is not a pupil's.
    pub(super) fn read(json: &[u8], unique: UniqueField) -> Result<Option<Self>, Flaw> {
        let mut fields = Fields::of_bytes(json)?;
        if fields.text("basisrol") != PUPIL {
            return Ok(None);
        }
        let dropped = fields.held().filter_map(dropped).collect();
        let groups = fields.take_list("groups");
        let mut losses = Vec::new();
        let internal_number = said(fields.text("internnummer"));
        let user_name = fields.text("gebruikersnaam");
        let key = match unique {
            UniqueField::Number => internal_number.clone(),
            UniqueField::Username => user_name.clone(),
        };
        let pupil = PupilRow {
            contacts: contacts(&fields, &key),
            source_key: key,
            says: Says {
                person: true,
                schools: true,
                birth: true,
            },
            identifier: Some(internal_number.clone()).filter(|number| !number.is_empty()),
            user_ids: user_ids(&fields, &mut losses),
            given_name: fields.text("voornaam"),
            family_name: fields.text("naam"),
            birth_date: birth_date(&fields.text("geboortedatum"), &mut losses),
            sex: sex(&fields.text("geslacht"), &mut losses),
            email: some(fields.text("emailadres")),
            phone: some(fields.text("telefoonnummer")).or_else(|| some(fields.text("mobielnummer"))),
            street: street(&fields),
            postal_code: some(fields.text("postcode")),
            city: some(fields.text("woonplaats")),
            ..PupilRow::default()
        };
        Ok(Some(Self {
            pupil,
            user_name,
            internal_number,
            groups: groups.iter().map(|group| group.text("code")).collect(),
            dropped,
            losses,
        }))
    }
}

/// A field by its name in lower case, if it is not in the map.
fn dropped(name: &str) -> Option<Dropped> {
    if MAPPED.contains(&name) {
        return None;
    }
    if let Some(known) = DROPPED.iter().find(|known| **known == name) {
        return Some(Dropped::Known(known));
    }
    let slot = |text: &str| text.parse().is_ok_and(|slot: u8| (1..=CO_ACCOUNTS).contains(&slot));
    if let Some((part, number)) = name.split_once("_coaccount")
        && slot(number)
        && MAPPED_OF_CO_ACCOUNT.contains(&part)
    {
        return None;
    }
    if name.strip_prefix("status").is_some_and(slot) {
        return Some(Dropped::Known("status of co-accounts"));
    }
    Some(Dropped::Own(name.to_owned()))
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A number, unless it is the word `NULL` that some tenants write for none.
fn said(text: String) -> String {
    if text.eq_ignore_ascii_case("null") {
        String::new()
    } else {
        text
    }
}

/// A date of the vendor: perhaps without zeros in front, or all zeros for none.
pub(super) fn date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.trim().split('-').map(|part| {
        let digits = part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| digits)
    });
    let (year, month, day): (Option<u32>, Option<u32>, Option<u32>) = (parts.next()?, parts.next()?, parts.next()?);
    let year = year.filter(|year| (1900..=2199).contains(year) && parts.next().is_none())?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month?, day?)
}

fn birth_date(text: &str, losses: &mut Vec<Loss>) -> Option<NaiveDate> {
    let none = text.is_empty() || text.bytes().all(|byte| matches!(byte, b'0' | b'-'));
    let day = date(text);
    if day.is_none() && !none {
        losses.push(Loss::BirthDate);
    }
    day
}

fn sex(text: &str, losses: &mut Vec<Loss>) -> Option<&'static str> {
    match text.to_lowercase().as_str() {
        "m" => Some("male"),
        // Read as `f`, written as `v`.
        "f" | "v" => Some("female"),
        "x" => Some("other"),
        "" => None,
        _ => {
            losses.push(Loss::Sex);
            None
        }
    }
}

fn user_ids(fields: &Fields, losses: &mut Vec<Loss>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let number = said(fields.text("stamboeknummer"));
    // Seven digits; what was a number somewhere on its way has lost the zero of the years to 2009.
    let padded = if number.len() == 6 {
        format!("0{number}")
    } else {
        number
    };
    match padded.parse::<RegisterNumber>() {
        Ok(number) => found.push(("stamnummer".to_owned(), number.as_str().to_owned())),
        Err(_) if padded.is_empty() || padded == "0" => {}
        Err(_) => losses.push(Loss::RegisterNumber),
    }
    let number = said(fields.text("rijksregisternummer"));
    if number.parse::<NationalNumber>().is_ok() {
        found.push(("nationalNumber".to_owned(), number));
    } else if !number.is_empty() && number != "0" {
        losses.push(Loss::NationalNumber);
    }
    found
}

fn street(fields: &Fields) -> Option<String> {
    let (mut street, number, bus) = (
        fields.text("straat"),
        fields.text("huisnummer"),
        fields.text("busnummer"),
    );
    if !number.is_empty() {
        street = format!("{street} {number}");
    }
    if !bus.is_empty() {
        street = format!("{street} bus {bus}");
    }
    some(street.trim().to_owned())
}

fn contacts(fields: &Fields, pupil: &str) -> Vec<Contact> {
    let slots = 1..=CO_ACCOUNTS;
    slots
        .filter_map(|slot| {
            let text = |part: &str| fields.text(&format!("{part}_coaccount{slot}"));
            let contact = Contact {
                source_key: format!("{pupil}/coaccount{slot}"),
                role: role(&text("type")).to_owned(),
                given_name: text("voornaam"),
                family_name: text("naam"),
                email: some(text("email")),
                phone: some(text("telefoonnummer")).or_else(|| some(text("mobielnummer"))),
            };
            let reaches = contact.email.is_some() || contact.phone.is_some();
            let named = !contact.given_name.is_empty() || !contact.family_name.is_empty();
            (named || reaches).then_some(contact)
        })
        .collect()
}

/// Who a co-account is, by the school's word for it. No authority follows from it.
fn role(kind: &str) -> &'static str {
    match kind.to_lowercase().as_str() {
        "vader" | "moeder" | "ouder" | "mama" | "papa" | "mother" | "father" | "parent" => "parent",
        kind if kind.contains("voogd") || kind.starts_with("pleeg") || kind == "guardian" => "guardian",
        _ => "relative",
    }
}

#[cfg(test)]
mod tests;
