//! Another's client against our fake: what `zeep` believes of the WSDL holds, and it reads what we say.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::*;

/// `./tests/run` installs it and runs this.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python and `pip install -r tests/clients/zeep/requirements.txt` in target/clients/zeep"]
async fn the_zeep_client_reads_every_method() {
    let mut platform = school();
    platform.mark("canary.een", half("2026-11-18", Part::Am), "B");
    let running = run(platform).await;
    let url = Fake::url(&running.host);
    let client = move || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut python = Command::new(root.join("target/clients/zeep/bin/python"));
        python
            .arg(root.join("tests/clients/zeep/read.py"))
            .args([url.as_str(), CODE, "2026-11-18"]);
        python.output().expect("python")
    };
    let output = tokio::task::spawn_blocking(client).await.expect("an end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let expected = json!({
        "methods": 23,
        "unique": "number",
        "codes": ["8", "9", "10", "12", "14", "19", "23", "49", "50", "53", "56", "57"],
        "csv": "8;Het webserviceswachtwoord klopt niet",
        "tree": [["IEDEREEN", "G", "0"], ["3LAT", "K", "1"], ["3WET", "K", "1"], ["3LEEG", "K", "1"]],
        "classes": ["3LAT", "3WET", "3LEEG"],
        "serialized": "a:3:{i:0;",
        "year": "2026-2027",
        "teachers": 1,
        "accounts": ["119940", "119975"],
        "accounts_xml": ["119940", "119975"],
        // A number is a number where the WSDL leaves the type open, and a string elsewhere.
        "empty": 19,
        "user": "canary.een",
        "by_number": "canary.een",
        "by_name": "119940",
        "unknown": ["12", "9", "12"],
        "class": "3LAT",
        "career": ["3LAT"],
        "day": {"am": "B", "pm": null},
        "by_user": true,
        "names": ["canary.drie", "canary.een", "canary.twee"],
        "group": ["canary.drie"],
        "label": {"officialcode": "B", "alias": "Problematisch"},
        "pupil": {"am": "B", "pm": null},
        "pupil_label": {"code": "B", "alias": "Problematisch"},
        "sunday": [],
        "no_date": "49",
        "refused": ["8", 8],
    });
    assert_eq!(found, expected);
}
