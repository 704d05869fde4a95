use super::*;

/// An answer as PHP's `SoapServer` writes it (school-apis §1.2).
fn php(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SOAP-ENV:Envelope \
         xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:ns1=\"https://demo.example/Webservices/V3\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:SOAP-ENC=\"http://schemas.xmlsoap.org/soap/encoding/\" \
         SOAP-ENV:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><SOAP-ENV:Body>{inside}</SOAP-ENV:Body></SOAP-ENV:Envelope>\n"
    )
}

fn returns(text: &str) -> String {
    php(&format!(
        "<ns1:getXResponse><return xsi:type=\"xsd:string\">{text}</return></ns1:getXResponse>"
    ))
}

fn read_in(answer: &[u8], step: usize) -> Result<(Said, String), Flaw> {
    let mut reader = Answer::new();
    let mut text = Vec::new();
    for bytes in answer.chunks(step) {
        reader.feed(bytes, &mut |some| {
            text.extend_from_slice(some);
            Ok(())
        })?;
    }
    Ok((reader.finish()?, String::from_utf8(text).expect("UTF-8")))
}

fn read(answer: &str) -> Result<(Said, String), Flaw> {
    read_in(answer.as_bytes(), usize::MAX)
}

#[test]
fn a_question_is_an_rpc_envelope_with_the_code_first() {
    let code = SecretString::from("a<b&c");
    let text = question(
        "https://demo.example/V3",
        "getX",
        Some(&code),
        &[("date", "2026-11-20"), ("q", "\"<")],
    );
    assert_eq!(
        text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soap:Envelope \
         xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:ns1=\"https://demo.example/V3\"><soap:Body>\
         <ns1:getX><accesscode>a&lt;b&amp;c</accesscode><date>2026-11-20</date><q>&quot;&lt;</q></ns1:getX>\
         </soap:Body></soap:Envelope>"
    );
    assert!(!question("n", "returnJsonErrorCodes", None, &[]).contains("accesscode"));
}

#[test]
fn a_text_is_handed_on_however_it_is_cut() {
    let answer = returns("{&quot;a&quot;:&quot;é &lt;&#233;&#x20AC;&amp;amp;&quot;}");
    let expected = (Said::Return, "{\"a\":\"é <é€&amp;\"}".to_owned());
    for step in 1..answer.len() {
        assert_eq!(
            read_in(answer.as_bytes(), step),
            Ok(expected.clone()),
            "in steps of {step}"
        );
    }
    // A mark of the byte order, another prefix, a comment, nothing in it at all.
    assert_eq!(read(&format!("\u{feff}{answer}")), Ok(expected));
    let other = "<s:Envelope xmlns:s=\"x\"><!-- a > b --><s:Body><r><x:return>8</x:return></r></s:Body></s:Envelope>";
    assert_eq!(read(other), Ok((Said::Return, "8".to_owned())));
    for empty in ["<return/>", "<return xsi:nil=\"true\"/>", "<return></return>"] {
        let answer = php(&format!("<ns1:r>{empty}</ns1:r>"));
        for step in [1, 7, 10_000] {
            assert_eq!(
                read_in(answer.as_bytes(), step),
                Ok((Said::Return, String::new())),
                "{empty}"
            );
        }
    }
}

#[test]
fn a_fault_says_whose_it_is_and_nothing_else() {
    let fault = |code: &str| {
        php(&format!(
            "<SOAP-ENV:Fault><faultcode>{code}</faultcode><faultstring>the code geheim &entity; is wrong</faultstring>\
             <detail><a><b><c><d><e/></d></c></b></a></detail></SOAP-ENV:Fault>"
        ))
    };
    for step in [1, 10, 10_000] {
        let said = |code: &str| read_in(fault(code).as_bytes(), step);
        assert_eq!(said("SOAP-ENV:Server"), Ok((Said::ServerFault, String::new())));
        assert_eq!(said("SOAP-ENV:Client"), Ok((Said::OtherFault, String::new())));
        assert_eq!(said("SOAP-ENV:VersionMismatch"), Ok((Said::OtherFault, String::new())));
    }
    // Without a code nobody knows whose it is.
    let without = php("<SOAP-ENV:Fault><faultstring>x</faultstring></SOAP-ENV:Fault>");
    assert_eq!(read(&without).map(|(said, _)| said), Err("soap.no_return"));
}

#[test]
fn an_answer_that_was_cut_off_anywhere_is_no_answer() {
    let answer = returns("{\"1001\":{\"am\":\"|\",\"pm\":\"B\"}}");
    let whole = answer.trim_end().len();
    for end in 0..whole {
        let flaw = read_in(&answer.as_bytes()[..end], usize::MAX).expect_err("it was cut off");
        assert_eq!(flaw, "soap.cut_off", "at {end}");
    }
    assert!(read_in(&answer.as_bytes()[..whole], usize::MAX).is_ok());
}

#[test]
fn what_is_no_answer_is_refused() {
    let long = "x".repeat(MOST_HEAD);
    let cases = [
        ("soap.element", "<html><body>onderhoud</body></html>".to_owned()),
        ("soap.text_outside_of_the_return", php("ok")),
        ("soap.no_return", php("<ns1:r/>")),
        ("soap.no_return", php("<ns1:r></ns1:r>")),
        (
            "soap.element",
            php("<ns1:r><return>1</return><return>2</return></ns1:r>"),
        ),
        ("soap.element", php("<ns1:r><return>1<b>2</b></return></ns1:r>")),
        ("soap.element", php("<ns1:r><other><return>1</return></other></ns1:r>")),
        ("soap.element", format!("{}<again/>", returns("1"))),
        ("soap.text_outside_of_the_return", format!("{}again", returns("1"))),
        ("xml.malformed", php("<ns1:r><return>1</other></ns1:r>")),
        ("xml.reference", returns("&eacute;")),
        ("xml.reference", returns("&#0;")),
        ("xml.reference", returns("&#xD800;")),
        ("xml.reference", returns("&#+65;")),
        ("xml.reference", returns("&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
        ("xml.encoding", returns("1").replace("UTF-8", "ISO-8859-1")),
        (
            "soap.too_much_before_the_text",
            format!("<!--{long}-->{}", returns("1")),
        ),
        ("soap.too_much_after_the_text", format!("{}<!--{long}-->", returns("1"))),
    ];
    for (rule, answer) in cases {
        for step in [1, 100, usize::MAX] {
            assert_eq!(
                read_in(answer.as_bytes(), step),
                Err(rule),
                "in steps of {step}: {answer}"
            );
        }
    }
}

/// A refusal takes 100 ms at most (R52): the quickest of some, for the machine does other things too.
pub(in crate::smartschool) fn quickly(what: &str, refuse: impl Fn()) {
    let once = || {
        #[expect(clippy::disallowed_methods, reason = "it is compared with a generous bound alone")]
        let begun = std::time::Instant::now();
        refuse();
        begun.elapsed()
    };
    let took = (0..5).map(|_| once()).min().expect("five");
    assert!(took.as_millis() <= 100, "{what} took {took:?}");
}

/// A port that nobody may call (R52).
pub(in crate::smartschool) struct Uncalled(std::net::TcpListener);

impl Uncalled {
    pub(in crate::smartschool) fn new() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        Self(listener)
    }

    /// An address at it.
    pub(in crate::smartschool) fn url(&self) -> String {
        format!("http://{}/x.dtd", self.0.local_addr().expect("an address"))
    }
}

impl Drop for Uncalled {
    fn drop(&mut self) {
        let called = self.0.accept().map(drop).map_err(|error| error.kind());
        if !std::thread::panicking() {
            assert_eq!(called, Err(std::io::ErrorKind::WouldBlock), "somebody called");
        }
    }
}

#[test]
fn xml_attacks_are_refused_before_they_begin() {
    let uncalled = Uncalled::new();
    let url = uncalled.url();
    let laugh = |at: u8| format!("<!ENTITY l{at} \"{}\">", format!("&l{};", at - 1).repeat(10));
    let laughs = (1..10).map(laugh).collect::<Vec<_>>().concat();
    let within = |declared: &str, text: &str| returns(text).replacen("?>", &format!("?><!DOCTYPE r [{declared}]>"), 1);
    let attributes = " a=\"\"".repeat(1_000_000);
    let cases = [
        (
            "xml.document_type",
            within(&format!("<!ENTITY l0 \"ha\">{laughs}"), "&l9;"),
        ),
        (
            "xml.document_type",
            within(
                &format!("<!ENTITY a \"{}\">", "a".repeat(100_000)),
                &"&a;".repeat(100_000),
            ),
        ),
        (
            "xml.document_type",
            within("<!ENTITY x SYSTEM \"file:///etc/passwd\">", "&x;"),
        ),
        (
            "xml.document_type",
            within(&format!("<!ENTITY % x SYSTEM \"{url}\"> %x;"), "1"),
        ),
        (
            "xml.document_type",
            format!("<!DOCTYPE r SYSTEM \"{url}\">{}", returns("1")),
        ),
        ("xml.document_type", format!("<!DOCTYPE {}", "a".repeat(1_000_000))),
        ("xml.document_type", "<e:Envelope><![CDATA[x]]>".to_owned()),
        ("xml.reference", returns("&x;")),
        (
            "xml.processing_instruction",
            format!("<?xml-stylesheet href=\"file:///etc/passwd\"?>{}", returns("1")),
        ),
        (
            "xml.processing_instruction",
            format!("<?xml-stylesheet href=\"{url}\"?>{}", returns("1")),
        ),
        (
            "soap.element",
            returns(&format!(
                "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"{url}\"/>"
            )),
        ),
        (
            "soap.element",
            returns("<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\"/>"),
        ),
        (
            "soap.too_much_before_the_text",
            format!("<a{attributes}>{}", returns("1")),
        ),
        ("soap.element", "<a>".repeat(10_000)),
        (
            "xml.too_deep",
            format!("<e:Envelope><Body><Fault>{}", "<a>".repeat(10_000)),
        ),
    ];
    for (rule, answer) in cases {
        quickly(rule, || assert_eq!(read(&answer), Err(rule)));
    }
}
