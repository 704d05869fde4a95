use super::super::envelope::tests::{Uncalled, quickly};
use super::*;

fn class(code: &str, name: &str, official: bool, school: Option<&str>) -> Class {
    Class {
        code: code.to_owned(),
        name: name.to_owned(),
        official,
        school: school.map(str::to_owned),
    }
}

/// The shape of school-apis §1.4, with classes of our own.
const TREE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<groups><group><name>Iedereen</name><desc/><type>G</type>\
    <code>IEDEREEN</code><visible>1</visible><isOfficial>0</isOfficial>\
    <group><name>Campus A</name><type>G</type><code>CA</code><isOfficial>0</isOfficial><instituteNumber>034512</instituteNumber>\
    <group><name>1A &amp; B</name><desc>klas</desc><type>K</type><code>1AB</code><untis>1AB</untis><visible>1</visible>\
    <isOfficial>1</isOfficial><coAccountLabel>Ouders</coAccountLabel><adminNumber>041337</adminNumber>\
    <instituteNumber></instituteNumber><username>leraar.een</username><username>leraar.twee</username></group></group>\
    <group><name>3LAT</name><type>K</type><code>3LAT</code><isOfficial>1</isOfficial><instituteNumber>34513</instituteNumber></group>\
    <group><name><![CDATA[Toneel]]></name><type>K</type><code>TON</code><isOfficial>0</isOfficial></group>\
    <group><type>K</type><isOfficial>1</isOfficial></group>\
    </group></groups>";

#[test]
fn classes_are_found_wherever_they_are() {
    let expected = [
        class("1AB", "1A & B", true, Some("034512")),
        class("3LAT", "3LAT", true, Some("034513")),
        class("TON", "Toneel", false, None),
        class("", "", true, None),
    ];
    let mut base64 = STANDARD.encode(TREE);
    assert_eq!(classes(&base64), Ok(expected.to_vec()));
    base64.insert_str(76, "\r\n");
    assert_eq!(classes(&base64), Ok(expected.to_vec()), "in lines");
    assert_eq!(classes_of_xml(b"<groups/>"), Ok(vec![]));
}

#[test]
fn an_institution_number_gets_its_zeros_back() {
    assert_eq!(institution(" 34512 "), Some("034512".to_owned()));
    assert_eq!(institution("123456"), Some("123456".to_owned()));
    for none in ["", "0", "000000", "1234567", "12345a", "-12345"] {
        assert_eq!(institution(none), None, "{none}");
    }
}

#[test]
fn what_is_no_tree_is_refused() {
    let cases = [
        ("groups.base64", "<groups/>".to_owned()),
        ("groups.base64", "PGdyb3Vwcy8".to_owned()),
        ("groups.root", STANDARD.encode("<accounts/>")),
        ("groups.root", STANDARD.encode("<groups/><groups/>")),
        ("groups.cut_off", STANDARD.encode("<groups><group>")),
        ("groups.cut_off", String::new()),
        ("xml.malformed", STANDARD.encode("<groups><group></groups>")),
        ("xml.encoding", STANDARD.encode(b"<groups>\xe9</groups>")),
        (
            "xml.reference",
            STANDARD.encode("<groups><group><name>&eacute;</name></group></groups>"),
        ),
    ];
    for (rule, tree) in cases {
        assert_eq!(classes(&tree), Err(rule), "{tree}");
    }
}

#[test]
fn no_field_grows_without_end() {
    let tree = format!("<groups><group><name>{}", "<!-- -->xy".repeat(MOST_TEXT));
    assert_eq!(classes_of_xml(tree.as_bytes()), Err("groups.field_too_long"));
}

#[test]
fn xml_attacks_in_the_tree_are_refused() {
    let uncalled = Uncalled::new();
    let url = uncalled.url();
    let attributes = " a=\"\"".repeat(1_000_000);
    let laughs = "<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">";
    let cases = [
        (
            "xml.document_type",
            format!("<!DOCTYPE groups [{laughs}]><groups><group><name>&c;</name></group></groups>"),
        ),
        (
            "xml.document_type",
            "<!DOCTYPE groups SYSTEM \"file:///etc/passwd\"><groups/>".to_owned(),
        ),
        (
            "xml.document_type",
            format!("<!DOCTYPE groups [<!ENTITY % p SYSTEM \"{url}\"> %p;]><groups/>"),
        ),
        (
            "xml.foreign_element",
            format!("<groups><xi:include href=\"{url}\"/></groups>"),
        ),
        ("xml.processing_instruction", "<?php echo 1; ?><groups/>".to_owned()),
        (
            "xml.foreign_element",
            "<groups><xi:include href=\"file:///etc/passwd\"/></groups>".to_owned(),
        ),
        ("xml.tag_too_long", format!("<groups{attributes}></groups>")),
        ("xml.too_deep", format!("<groups>{}", "<group>".repeat(10_000))),
    ];
    for (rule, tree) in cases {
        quickly(rule, || assert_eq!(classes_of_xml(tree.as_bytes()), Err(rule)));
    }
}
