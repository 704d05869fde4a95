//! The annotated example, made from what the sections say of themselves.

use super::{Database, Issuer, Keys, Law, Limits, Secrecy, Section, Server, Sources, Streams, Telemetry};

/// `clb-hub.example.toml`: every key with its meaning; defaults as they are, the others switched off.
pub fn example() -> String {
    let mut text = String::from(
        "# clb-hub: every setting, with its default.\n\
         # A variable CLB_HUB__SECTION__KEY wins over the file, for example CLB_HUB__SERVER__ADDRESS;\n\
         # for an issuer: CLB_HUB__ISSUERS__NAME__KEY. Unknown sections, keys and variables are refused.\n",
    );
    section::<Server>(&mut text, false);
    section::<Database>(&mut text, false);
    section::<Secrecy>(&mut text, false);
    section::<Issuer>(&mut text, true);
    section::<Limits>(&mut text, false);
    section::<Streams>(&mut text, false);
    section::<Telemetry>(&mut text, false);
    section::<Keys>(&mut text, false);
    section::<Sources>(&mut text, false);
    section::<Law>(&mut text, false);
    text
}

#[expect(
    clippy::format_push_string,
    reason = "`write!` would return an error that cannot happen"
)]
/// A named section is shown switched off: there is none by default.
fn section<S: Section>(text: &mut String, named: bool) {
    let (name, off) = if named {
        (format!("{}.acm", S::NAME), "# ")
    } else {
        (S::NAME.to_owned(), "")
    };
    text.push_str(&format!("\n# {}\n{off}[{name}]\n", S::DOC));
    for setting in S::SETTINGS {
        let off = if setting.default { off } else { "# " };
        text.push_str(&format!(
            "# {}\n{off}{} = {}\n",
            setting.doc, setting.key, setting.value
        ));
    }
}
