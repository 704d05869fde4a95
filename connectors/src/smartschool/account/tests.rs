use chrono::NaiveDate;

use super::*;

/// The shape of school-apis §1.4, with a pupil of our own: the national number has the birth date and a right checksum
/// for it, and belongs to nobody.
const LIES: &str = r#"{"voornaam":"Lies","naam":"Voorbeeld","gebruikersnaam":"lies.voorbeeld","internnummer":"119975","status":"actief",
 "extravoornamen":"","initialen":"","roepnaam":"Liesje","geslacht":"f","geboortedatum":"2011-3-5","geboorteplaats":"",
 "rijksregisternummer":"11030512407","nationaliteit":"","straat":"Kerkstraat","huisnummer":12,"busnummer":"3","postcode":"3000",
 "woonplaats":"Leuven","land":"België","emailadres":"lies@school.example","mobielnummer":"0470000001","telefoonnummer":"",
 "stamboeknummer":"2300050","basisrol":"1","klasnummer":"7","godsdienstkeuze":"Katholiek","schoolverlater":0,
 "referenceIdentifier":"4069_1001_0","last_successful_login":"0000-00-00",
 "voornaam_coaccount1":"An","naam_coaccount1":"Voorbeeld","email_coaccount1":"an@ouder.example","telefoonnummer_coaccount1":"",
 "mobielnummer_coaccount1":"0470000002","type_coaccount1":"Moeder","status1":"actief",
 "voornaam_coaccount2":"Jo","naam_coaccount2":"Anders","email_coaccount2":"","telefoonnummer_coaccount2":"","mobielnummer_coaccount2":"",
 "type_coaccount2":"Pleegouder","type_coaccount3":0,"naam_coaccount3":"",
 "Naam verantwoordelijke CLB":"Iemand","Allergie: welke?":"",
 "groups":[{"id":"298","code":"3LAT","name":"3LAT","desc":"3 Latijn","isKlas":true,"isOfficial":true},{"id":"4","code":"LLN","isKlas":false}]}"#;

fn read(json: &str) -> Account {
    let account = Account::read(json.as_bytes(), UniqueField::Number).expect("JSON");
    account.expect("a pupil")
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

#[test]
fn a_pupil_is_read_as_far_as_the_hub_has_a_place() {
    let account = read(LIES);
    let pupil = &account.pupil;
    assert_eq!(pupil.source_key, "119975");
    assert_eq!(pupil.identifier.as_deref(), Some("119975"));
    assert_eq!(
        (pupil.given_name.as_str(), pupil.family_name.as_str()),
        ("Lies", "Voorbeeld")
    );
    assert_eq!((pupil.birth_date, pupil.sex), (Some(day("2011-03-05")), Some("female")));
    let ids = [("stamnummer", "2300050"), ("nationalNumber", "11030512407")];
    assert_eq!(pupil.user_ids, ids.map(|(kind, id)| (kind.to_owned(), id.to_owned())));
    assert_eq!(pupil.street.as_deref(), Some("Kerkstraat 12 bus 3"));
    assert_eq!(
        (pupil.postal_code.as_deref(), pupil.city.as_deref()),
        (Some("3000"), Some("Leuven"))
    );
    assert_eq!(
        (pupil.email.as_deref(), pupil.phone.as_deref()),
        (Some("lies@school.example"), Some("0470000001"))
    );
    assert_eq!(pupil.language, None);
    let contacts: Vec<_> = pupil
        .contacts
        .iter()
        .map(|one| {
            (
                one.source_key.as_str(),
                one.role.as_str(),
                one.given_name.as_str(),
                one.phone.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        contacts,
        [
            ("119975/coaccount1", "parent", "An", Some("0470000002")),
            ("119975/coaccount2", "guardian", "Jo", None),
        ]
    );
    assert_eq!(account.groups, ["3LAT", "LLN"]);
    assert_eq!(account.losses, []);
    let by_name = Account::read(LIES.as_bytes(), UniqueField::Username)
        .expect("JSON")
        .expect("a pupil");
    assert_eq!(by_name.pupil.source_key, "lies.voorbeeld");
    assert_eq!(by_name.pupil.identifier.as_deref(), Some("119975"));
}

#[test]
fn what_is_outside_the_map_is_told_by_the_vendors_name_or_a_number() {
    let mut known = Vec::new();
    let mut own = Vec::new();
    for field in read(LIES).dropped {
        match field {
            Dropped::Known(name) => known.push(name),
            Dropped::Own(label) => own.push(label),
        }
    }
    known.sort_unstable();
    assert_eq!(
        known,
        [
            "godsdienstkeuze",
            "klasnummer",
            "land",
            "referenceidentifier",
            "roepnaam",
            "status",
            "status of co-accounts"
        ]
    );
    // Its label is the school's and is only counted; the one that nobody filled in is not.
    assert_eq!(own, ["naam verantwoordelijke clb"]);
}

#[test]
fn only_pupils_are_read() {
    for other in ["0", "13", "30", "", "leerling"] {
        let json = LIES.replace("\"basisrol\":\"1\"", &format!("\"basisrol\":\"{other}\""));
        assert!(
            Account::read(json.as_bytes(), UniqueField::Number)
                .expect("JSON")
                .is_none(),
            "{other}"
        );
    }
    let number = LIES.replace("\"basisrol\":\"1\"", "\"BASISROL\":1");
    assert!(
        Account::read(number.as_bytes(), UniqueField::Number)
            .expect("JSON")
            .is_some()
    );
}

#[test]
fn nothing_has_many_shapes() {
    let account = read(
        r#"{"basisrol":"1","gebruikersnaam":"a","internnummer":null,"stamboeknummer":"NULL","rijksregisternummer":"",
            "geboortedatum":"0000-00-00","geslacht":"","groups":{}}"#,
    );
    assert_eq!(account.pupil.source_key, "");
    assert_eq!(account.pupil.identifier, None);
    assert_eq!(account.pupil.user_ids, []);
    assert_eq!((account.pupil.birth_date, account.pupil.sex), (None, None));
    assert_eq!(
        (account.groups.len(), account.losses.len(), account.dropped.len()),
        (0, 0, 0)
    );
    let null = read(r#"{"basisrol":1,"internnummer":"NULL","stamboeknummer":null,"geboortedatum":null}"#);
    assert_eq!((null.pupil.source_key.as_str(), null.losses.len()), ("", 0));
}

#[test]
fn what_cannot_be_read_is_a_loss_and_never_a_guess() {
    let account = read(
        r#"{"basisrol":"1","internnummer":7,"stamboeknummer":"23-00050","rijksregisternummer":"11030512345",
            "geboortedatum":"2011-02-30","geslacht":"onbekend"}"#,
    );
    assert_eq!(account.pupil.source_key, "7");
    assert_eq!(
        account.losses,
        [Loss::RegisterNumber, Loss::NationalNumber, Loss::BirthDate, Loss::Sex]
    );
    assert_eq!((account.pupil.birth_date, account.pupil.user_ids.len()), (None, 0));
    // The zero of the years to 2009 was lost where the number was one.
    let padded = read(r#"{"basisrol":"1","internnummer":"7","stamboeknummer":900050}"#);
    assert_eq!(padded.pupil.user_ids, [("stamnummer".to_owned(), "0900050".to_owned())]);
}

#[test]
fn dates_are_read_with_and_without_zeros() {
    for (text, expected) in [
        ("2011-03-05", Some(day("2011-03-05"))),
        ("2011-3-5", Some(day("2011-03-05"))),
        (" 2012-2-29 ", Some(day("2012-02-29"))),
        ("0000-00-00", None),
        ("2011-13-01", None),
        ("2011-02-29", None),
        ("11-3-5", None),
        ("2011-3", None),
        ("2011-3-5-1", None),
        ("2011-+3-5", None),
        ("5/3/2011", None),
        ("99999999999-1-1", None),
        ("", None),
    ] {
        assert_eq!(date(text), expected, "{text}");
    }
}
