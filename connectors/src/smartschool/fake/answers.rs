//! The answer of each method, in the shapes of school-apis §1.4.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{Datelike as _, NaiveDate};
use hub_entities::time::SchoolYear;
use quick_xml::escape::escape;
use serde_json::{Map, Value as Json, json};

use super::super::account::date;
use super::super::groups::institution;
use super::super::settings::UniqueField;
use super::php;
use super::platform::{Class, CoAccount, Mark, Platform, Pupil, Quirk};
use super::soap::{Question, Value};
use super::wsdl::METHODS;

/// The result codes of the vendor that a reader meets. Only the numbers are the vendor's; the words are ours.
const CODES: [(i64, &str); 12] = [
    (8, "Het webserviceswachtwoord klopt niet"),
    (9, "Er is geen gebruiker met deze naam"),
    (10, "De gegevens konden niet verwerkt worden &lt;br&gt;"),
    (12, "Er is geen gebruiker met dit nummer"),
    (14, "Er werden te weinig gegevens meegegeven"),
    (19, "De bovenliggende groep &quot;ID&quot; bestaat niet"),
    (23, "Onbekende fout"),
    (49, "Geen geldige datum"),
    (50, "De module is niet actief"),
    (53, "De bovenliggende groep werd niet gevonden"),
    (56, "Geen geldige datum"),
    (57, "De roostercode is al in gebruik"),
];

type Answer = Result<Json, i64>;

impl Platform {
    /// What the tenant answers; none when it has no such method.
    pub(super) fn answer(&self, question: &Question) -> Option<Value> {
        let method = METHODS.iter().find(|one| one.name == question.method)?;
        let text = match method.name {
            _ if !self.opens(question, method.parts.is_empty()) => Err(8),
            // A part that was left out; the date of a class may be.
            _ if method.parts.len()
                > question
                    .parts
                    .len()
                    .saturating_add(usize::from(method.name == "getUserOfficialClass")) =>
            {
                Err(14)
            }
            "getReferenceField" => Ok(match self.unique_field {
                UniqueField::Number => "number".to_owned(),
                UniqueField::Username => "username".to_owned(),
            }),
            "getAllGroupsAndClasses" => Ok(STANDARD.encode(self.tree())),
            "getAllAccounts" => self.accounts_xml(question.part("code"), question.part("recursive")),
            "getClassList" => Ok(php::serialized(&self.class_list())),
            "returnCsvErrorCodes" => Ok(CODES.map(|(code, text)| format!("{code};{text}")).join("\n")),
            name => self.json(name, question).map(|value| self.written(&value)),
        };
        Some(match text {
            Ok(text) => Value::Text(text),
            Err(code) if method.any_type => Value::Int(code),
            Err(code) => Value::Text(code.to_string()),
        })
    }

    fn opens(&self, question: &Question, open: bool) -> bool {
        let code = question.part("accesscode");
        let by_profile = |(profile, methods): &(String, _)| {
            let methods: &std::collections::BTreeSet<String> = methods;
            profile == code && methods.contains(&question.method)
        };
        open || code == self.access_code || self.profile.as_ref().is_some_and(by_profile)
    }

    fn json(&self, method: &str, question: &Question) -> Answer {
        let user = || self.find(question.part("userIdentifier"), self.unique_field).ok_or(12);
        let day = || date(question.part("date")).ok_or(49);
        match method {
            "getClassListJson" => Ok(self.class_list()),
            "getSchoolyearDataOfClass" => self
                .class(question.part("classCode"))
                .map(|class| self.year_of(class))
                .ok_or(53),
            "getClassTeachers" => Ok(self.class_teachers()),
            "getAllAccountsExtended" => self.accounts(question.part("code"), question.part("recursive")),
            "getUserDetails" => user().map(|pupil| self.account(pupil)),
            "getUserDetailsByNumber" => self.found(question.part("number"), UniqueField::Number),
            "getUserDetailsByUsername" => self.found(question.part("username"), UniqueField::Username),
            "getUserDetailsByScannableCode" => Err(12),
            "getUserOfficialClass" => {
                let day = if question.part("date").is_empty() {
                    self.today
                } else {
                    day()?
                };
                let class = user()?.class_on(day).and_then(|code| self.class(code));
                Ok(class.map_or_else(|| json!([]), official_class))
            }
            "getStudentCareer" => user().map(|pupil| self.career(pupil)),
            "getAbsents" => self.absents(user()?, question.part("schoolYear"), &plain),
            "getAbsentsWithAlias" => self.absents(user()?, question.part("schoolYear"), &|mark| labelled(mark, "code")),
            // By which key is not certain; clients take it for the user name (school-apis §1.4).
            "getAbsentsByDate" | "getAbsentsWithUsernameByDate" => {
                Ok(self.day(day()?, UniqueField::Username, None, &plain))
            }
            "getAbsentsWithInternalNumberByDate" => Ok(self.day(day()?, UniqueField::Number, None, &plain)),
            "getAbsentsWithAliasByDate" => Ok(self.day(day()?, UniqueField::Username, None, &|mark| {
                labelled(mark, "officialcode")
            })),
            "getAbsentsByDateAndGroup" => {
                Ok(self.day(day()?, UniqueField::Username, Some(question.part("code")), &plain))
            }
            "returnJsonErrorCodes" => {
                let codes = CODES.iter().map(|(code, text)| (code.to_string(), json!(text)));
                Ok(Json::Object(codes.collect()))
            }
            _ => Err(23),
        }
    }

    fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    fn written(&self, value: &Json) -> String {
        if self.has(Quirk::BareJson) {
            value.to_string()
        } else {
            php::json(value)
        }
    }

    fn date(&self, day: Option<NaiveDate>) -> String {
        match day {
            None => "0000-00-00".to_owned(),
            Some(day) if self.has(Quirk::ShortDates) => format!("{}-{}-{}", day.year(), day.month(), day.day()),
            Some(day) => day.to_string(),
        }
    }

    /// The tree: everyone, and below the classes and groups.
    fn tree(&self) -> String {
        let group = |class: &Class| {
            let (name, code, school) = (escape(&class.name), escape(&class.code), escape(&class.school));
            let official = u8::from(class.official);
            let admin = if class.official {
                "<adminNumber>041337</adminNumber>"
            } else {
                ""
            };
            let school = if class.school.is_empty() {
                String::new()
            } else {
                format!("<instituteNumber>{school}</instituteNumber>")
            };
            let teacher = self
                .teachers
                .first()
                .map(|name| format!("<username>{}</username>", escape(name)));
            format!(
                "<group><name>{name}</name><desc>Klas {name}</desc><type>K</type><code>{code}</code><untis>{code}</untis>\
                 <visible>1</visible><isOfficial>{official}</isOfficial><coAccountLabel>Ouders</coAccountLabel>{admin}{school}{}</group>",
                teacher.unwrap_or_default()
            )
        };
        let groups: String = self.classes.iter().map(group).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<groups><group><name>Iedereen</name><desc></desc><type>G</type>\
             <code>IEDEREEN</code><untis/><visible>1</visible><isOfficial>0</isOfficial>{groups}</group></groups>\n"
        )
    }

    fn class_list(&self) -> Json {
        let classes = self.classes.iter().enumerate().map(|(at, class)| {
            json!({
                "id": group_id(at), "code": class.code, "name": class.name, "desc": format!("Klas {}", class.name),
                "isOfficial": class.official, "isGroup": false, "isClass": true, "isVisible": true, "untis": class.code,
            })
        });
        classes.collect()
    }

    fn year_of(&self, class: &Class) -> Json {
        let begins = SchoolYear::of(self.today).0;
        let id = self
            .classes
            .iter()
            .position(|one| one.code == class.code)
            .unwrap_or_default();
        json!([{
            "id": id, "groupId": id, "schoolyear": format!("{begins}-{}", begins.saturating_add(1)),
            "instituteNumber": class.school, "administrativeGroupNumber": 41337, "residence": "", "domain": "",
            "studyChoiceComponent": "", "principal": "",
        }])
    }

    fn class_teachers(&self) -> Json {
        let rows = self
            .teachers
            .iter()
            .zip(&self.classes)
            .enumerate()
            .map(|(at, (name, class))| {
                json!({
                    "naam": "Leraar", "voornaam": name, "gebruikersnaam": name, "internummer": "", "stamboeknummer": "",
                    "klasid": group_id(at), "klasnaam": class.name, "klasomschrijving": format!("Klas {}", class.name),
                    "koppelingsveld (klas)": "", "instellingsnummer": class.school, "administratievegroup": "041337",
                    "isOfficial": class.official,
                })
            });
        rows.collect()
    }

    /// Whom a group has of its own, or with those below it. Everyone is above all.
    fn in_group<'a>(&'a self, code: &'a str, recursive: &str) -> Result<Vec<&'a Pupil>, i64> {
        let everyone = code.is_empty() || code == "IEDEREEN";
        if !everyone && self.class(code).is_none() {
            return Err(19);
        }
        let found: Vec<&Pupil> = match (everyone, recursive) {
            (true, "1") => self.pupils.values().filter(|pupil| pupil.deleted.is_none()).collect(),
            (true, _) => Vec::new(),
            (false, _) => self.members(code).collect(),
        };
        // A group without accounts of its own is answered as if it were not there (school-apis §1.4).
        if found.is_empty() { Err(19) } else { Ok(found) }
    }

    fn accounts(&self, code: &str, recursive: &str) -> Answer {
        let mut accounts: Vec<Json> = self
            .in_group(code, recursive)?
            .into_iter()
            .map(|pupil| self.account(pupil))
            .collect();
        if code.is_empty() || code == "IEDEREEN" {
            accounts.extend(self.teachers.iter().map(|name| {
                json!({
                    "voornaam": name, "naam": "Leraar", "gebruikersnaam": name, "internnummer": null, "status": "actief",
                    "basisrol": "0", "groups": [],
                })
            }));
        }
        Ok(Json::Array(accounts))
    }

    fn accounts_xml(&self, code: &str, recursive: &str) -> Result<String, i64> {
        let account = |pupil: &Pupil| {
            format!(
                "<account><name>{}</name><surname>{}</surname><username>{}</username><internnumber>{}</internnumber>\
                 <classnumber>7</classnumber></account>",
                escape(&pupil.given_name),
                escape(&pupil.family_name),
                escape(&pupil.user_name),
                escape(&pupil.internal_number)
            )
        };
        let accounts: String = self.in_group(code, recursive)?.into_iter().map(account).collect();
        Ok(STANDARD.encode(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<accounts>{accounts}</accounts>\n"
        )))
    }

    fn found(&self, identifier: &str, by: UniqueField) -> Answer {
        let found = self
            .find(identifier, by)
            .ok_or(if by == UniqueField::Number { 12 } else { 9 });
        found.map(|pupil| self.account(pupil))
    }

    fn account(&self, pupil: &Pupil) -> Json {
        let word = |text: &str| match text {
            "" if self.has(Quirk::WordNull) => "NULL".to_owned(),
            text => text.to_owned(),
        };
        let number = Some(&pupil.internal_number).filter(|number| !number.is_empty());
        let mut fields = json!({
            "voornaam": pupil.given_name, "naam": pupil.family_name, "gebruikersnaam": pupil.user_name,
            "internnummer": number, "status": if pupil.disabled { "uitgeschakeld" } else { "actief" },
            "extravoornamen": "", "initialen": "", "roepnaam": "", "geslacht": pupil.sex,
            "geboortedatum": self.date(pupil.born), "geboorteplaats": "", "geboorteland": "",
            "rijksregisternummer": pupil.national_number, "nationaliteitscode": "", "nationaliteit": "",
            "straat": pupil.street, "huisnummer": pupil.house_number, "busnummer": "", "postcode": pupil.postal_code,
            "woonplaats": pupil.city, "land": "", "emailadres": pupil.email, "website": "", "mobielnummer": "",
            "telefoonnummer": pupil.phone, "fax": "", "sorteerveld": "", "stamboeknummer": word(&pupil.register_number),
            "koppelingsveldschoolagenda": "", "basisrol": "1", "klasnummer": "7", "referenceIdentifier": "4069_1001_0",
            "scannableCode": "", "soortleerling": "", "godsdienstkeuze": "", "schoolverlater": "0",
            "isEmailVerified": false, "isAuthenticatorAppEnabled": false, "last_successful_login": "0000-00-00",
            "groups": self.groups_of(pupil),
        });
        if let Some(map) = fields.as_object_mut() {
            let none = CoAccount::default();
            for slot in 1..=6_usize {
                let one = pupil.co_accounts.get(slot.saturating_sub(1)).unwrap_or(&none);
                let kind = if one.kind.is_empty() { json!(0) } else { json!(one.kind) };
                for (part, value) in [
                    ("voornaam", json!(one.given_name)),
                    ("naam", json!(one.family_name)),
                    ("email", json!(one.email)),
                    ("telefoonnummer", json!("")),
                    ("mobielnummer", json!(one.mobile)),
                    ("type", kind),
                ] {
                    map.insert(format!("{part}_coaccount{slot}"), value);
                }
                map.insert(format!("status{slot}"), json!("actief"));
            }
            map.extend(
                pupil
                    .own_fields
                    .iter()
                    .map(|(label, value)| (label.clone(), json!(value))),
            );
        }
        if self.has(Quirk::Capitals) {
            capitals(fields)
        } else {
            fields
        }
    }

    fn groups_of(&self, pupil: &Pupil) -> Json {
        let is_in = |class: &Class| {
            pupil.class_on(self.today) == Some(class.code.as_str()) || pupil.groups.contains(&class.code)
        };
        let groups = self
            .classes
            .iter()
            .enumerate()
            .filter(|(_, class)| is_in(class))
            .map(|(at, class)| {
                json!({
                    "id": group_id(at), "code": class.code, "name": class.name, "desc": format!("Klas {}", class.name),
                    "isKlas": true, "isOfficial": class.official,
                })
            });
        groups.collect()
    }

    fn career(&self, pupil: &Pupil) -> Json {
        let rows = pupil.movements.iter().map(|movement| {
            let class = movement.class.as_deref().and_then(|code| self.class(code));
            let school = class.and_then(|class| institution(&class.school)).unwrap_or_default();
            json!({
                "inClass": class.is_some(), "outSchool": movement.class.is_none(), "date": self.date(Some(movement.day)),
                "stamboeknummer": pupil.register_number, "groupName": class.map(|class| class.name.as_str()).unwrap_or_default(),
                "groupCode": movement.class.as_deref().unwrap_or_default(), "adminNumber": "041337", "instituteNumber": school,
            })
        });
        rows.collect()
    }

    fn absents(&self, pupil: &Pupil, year: &str, shown: &dyn Fn(&Mark) -> Json) -> Answer {
        let year = SchoolYear(year.parse().map_err(|_not_a_year| 56)?);
        let days = year
            .first_day()
            .iter_days()
            .take_while(|day| *day <= year.last_day().min(self.today));
        let days = days.filter_map(|day| Some((day.to_string(), halves(&self.day_of(pupil, day)?, shown))));
        Ok(Json::Object(days.collect()))
    }

    fn day(&self, day: NaiveDate, by: UniqueField, group: Option<&str>, shown: &dyn Fn(&Mark) -> Json) -> Json {
        let mut map = Map::new();
        for pupil in self.pupils.values() {
            let key = pupil.key(by);
            let asked = group.is_none_or(|code| pupil.class_on(day) == Some(code));
            if !key.is_empty()
                && asked
                && let Some(marks) = self.day_of(pupil, day)
            {
                map.insert(key, halves(&marks, shown));
            }
        }
        if map.is_empty() && self.has(Quirk::EmptyList) {
            json!([])
        } else {
            Json::Object(map)
        }
    }
}

fn group_id(at: usize) -> String {
    at.saturating_add(298).to_string()
}

fn official_class(class: &Class) -> Json {
    json!({
        "groupID": "298", "parentID": "1", "name": class.name, "description": "", "type": "K",
        "isOfficial": if class.official { "1" } else { "0" }, "visible": "1", "untis": class.code, "fromSas": "0",
        "deleted": "0", "deleteDate": "", "adminNumber": "041337", "instituteNumber": class.school,
    })
}

fn halves([am, pm]: &[Mark; 2], shown: &dyn Fn(&Mark) -> Json) -> Json {
    json!({ "am": shown(am), "pm": shown(pm) })
}

fn plain(mark: &Mark) -> Json {
    json!(mark.letter)
}

fn labelled(mark: &Mark, letter: &str) -> Json {
    let usual = match mark.letter.as_deref() {
        None => return Json::Null,
        Some("|") => "Aanwezig",
        Some("B") => "Problematisch",
        Some("D") => "Ziek (attest)",
        Some("L") => "Te laat",
        Some("Z") => "Ziek (ouders)",
        Some("-") => "Nog onbekend",
        Some(_) => "",
    };
    let label = mark.label.as_deref().unwrap_or(usual);
    json!({ letter: mark.letter, "alias": Some(label).filter(|label| !label.is_empty()) })
}

fn capitals(fields: Json) -> Json {
    let capital = |name: String| {
        let mut letters = name.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
            .unwrap_or_default()
    };
    match fields {
        Json::Object(map) => Json::Object(map.into_iter().map(|(name, value)| (capital(name), value)).collect()),
        other => other,
    }
}
