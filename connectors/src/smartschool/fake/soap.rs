//! The envelope from the other side: reads a question, writes an answer as PHP's `SoapServer` does.

use quick_xml::escape::{escape, minimal_escape};
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

/// A question: the method, the namespace that it stands in, and its parts in order.
#[derive(Default)]
pub(super) struct Question {
    pub(super) namespace: String,
    pub(super) method: String,
    pub(super) parts: Vec<(String, String)>,
}

impl Question {
    /// Reads an envelope; none when it is not one.
    pub(super) fn read(xml: &str) -> Option<Self> {
        let mut reader = NsReader::from_str(xml);
        let mut question = Self::default();
        let mut depth = 0_usize;
        loop {
            match reader.read_resolved_event().ok()? {
                (namespace, Event::Start(start)) => {
                    depth = depth.saturating_add(1);
                    let name = start.local_name().as_ref().to_owned();
                    match depth {
                        3 if question.method.is_empty() => {
                            question.method = name;
                            if let ResolveResult::Bound(bound) = namespace {
                                bound.as_ref().clone_into(&mut question.namespace);
                            }
                        }
                        4 => question.parts.push((name, String::new())),
                        _ => {}
                    }
                }
                (namespace, Event::Empty(start)) => {
                    let name = start.local_name().as_ref().to_owned();
                    match depth {
                        2 => {
                            question.method = name;
                            if let ResolveResult::Bound(bound) = namespace {
                                bound.as_ref().clone_into(&mut question.namespace);
                            }
                        }
                        3 => question.parts.push((name, String::new())),
                        _ => {}
                    }
                }
                (_, Event::End(_)) => depth = depth.saturating_sub(1),
                (_, Event::Text(text)) if depth == 4 => question.parts.last_mut()?.1.push_str(&text),
                (_, Event::CData(text)) if depth == 4 => question.parts.last_mut()?.1.push_str(&text),
                (_, Event::GeneralRef(name)) if depth == 4 => {
                    let reference = format!("&{};", &*name);
                    let text = quick_xml::escape::unescape(&reference).ok()?.into_owned();
                    question.parts.last_mut()?.1.push_str(&text);
                }
                (_, Event::Eof) => break,
                _ => {}
            }
        }
        (!question.method.is_empty()).then_some(question)
    }

    /// A part by its name; empty when it was left out.
    pub(super) fn part(&self, name: &str) -> &str {
        let found = self.parts.iter().find(|(part, _)| part == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// What a method answers.
pub(super) enum Value {
    /// A text. PHP types a part that its WSDL calls `xsd:anyType` by what is in it.
    Text(String),
    /// A number under `xsd:anyType`.
    Int(i64),
}

const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// An answer.
pub(super) fn returned(namespace: &str, method: &str, value: &Value) -> String {
    let (kind, text) = match value {
        Value::Text(text) => ("string", minimal_escape(text.as_str()).replace('>', "&gt;")),
        Value::Int(number) => ("int", number.to_string()),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV=\"{ENVELOPE}\" xmlns:ns1=\"{}\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:SOAP-ENC=\"http://schemas.xmlsoap.org/soap/encoding/\" \
         SOAP-ENV:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><SOAP-ENV:Body><ns1:{method}Response>\
         <return xsi:type=\"xsd:{kind}\">{text}</return></ns1:{method}Response></SOAP-ENV:Body></SOAP-ENV:Envelope>\n",
        escape(namespace)
    )
}

/// A fault.
pub(super) fn fault(code: &str, text: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV=\"{ENVELOPE}\"><SOAP-ENV:Body>\
         <SOAP-ENV:Fault><faultcode>SOAP-ENV:{code}</faultcode><faultstring>{}</faultstring></SOAP-ENV:Fault>\
         </SOAP-ENV:Body></SOAP-ENV:Envelope>\n",
        escape(text)
    )
}
