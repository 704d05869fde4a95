//! The tenant's own table of result codes.

use super::*;

/// The table of the tenant is compared with what the hub goes by; its words stay there.
#[tokio::test]
async fn doctor_hears_which_result_codes_the_tenant_does_not_know() {
    let running = run(school()).await;
    for (said, note) in [
        (
            Instead::Text(r#"{"8":"canary","9":"","10":"","12":"","14":"","19":"","23":"","50":"","53":""}"#.into()),
            "result codes: the tenant does not know 49, 56",
        ),
        (Instead::Text("[]".into()), "result codes: the tenant publishes none"),
        (Instead::Code(23), "result codes: the tenant publishes none"),
    ] {
        running.fake.heal();
        running.fake.plan(Plan::always("returnJsonErrorCodes", said));
        let discovery = running.connector.discover().await.expect("it can be looked at");
        assert_eq!(discovery.notes.last().map(String::as_str), Some(note));
    }
}

/// A number that stands for something else would be taken for what it is not, or for nothing; and the words of the tenant
/// stay there, whatever they are.
#[tokio::test]
async fn a_code_that_a_tenant_knows_otherwise_is_a_fault_by_its_number() {
    let running = run(school()).await;
    running.connector.check().await.expect("the table of the fake");
    let table = |other: &[(&str, &str)]| {
        let mut table = BTreeMap::from([
            ("8", "Verkeerd webserviceswachtwoord"),
            ("9", "Deze gebruiker bestaat niet"),
            ("10", "Er ging iets mis"),
            ("12", "canary"),
            ("14", "Te weinig gegevens over de gebruiker"),
            ("19", "Een groep zonder ouder, volgens een gebruiker"),
            ("23", ""),
            ("49", "Ongeldige DATUM"),
            ("50", "Module niet actief"),
            ("53", "Geen bovenliggende groep"),
            ("56", "Ongeldige datum"),
            ("99", "Deze gebruiker bestaat niet"),
        ]);
        for (code, text) in other {
            if text.is_empty() {
                table.remove(code);
            } else {
                table.insert(code, text);
            }
        }
        Instead::Text(serde_json::to_string(&table).expect("JSON"))
    };
    let fault = |number, rule| {
        Err(Fault::Broken {
            stream: "returnJsonErrorCodes",
            record: number,
            rule,
        })
    };
    for (said, expected) in [
        (table(&[]), Ok(())),
        (Instead::Text("[]".into()), Ok(())),
        (Instead::Text("{}".into()), Ok(())),
        (Instead::Text("canary".into()), Ok(())),
        (Instead::Code(23), Ok(())),
        (table(&[("56", "")]), fault(56, "code.unpublished")),
        (table(&[("8", ""), ("56", "")]), fault(8, "code.unpublished")),
        (
            table(&[("8", "canary: de groep bestaat niet")]),
            fault(8, "code.otherwise"),
        ),
        (
            table(&[("19", "Het wachtwoord klopt niet")]),
            fault(19, "code.otherwise"),
        ),
        (table(&[("53", "Onbekende fout")]), fault(53, "code.otherwise")),
    ] {
        running.fake.heal();
        running.fake.plan(Plan::always("returnJsonErrorCodes", said));
        let checked = running.connector.check().await;
        assert_eq!(checked, expected);
        assert!(!format!("{checked:?}").contains("canary"));
        // It is read as before: what it says of a code is a matter for the vendor.
        running.roster().await;
    }
}
