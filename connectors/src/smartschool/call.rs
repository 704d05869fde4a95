//! One call to a tenant, and what came of it.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use secrecy::SecretString;

use super::answer::{Code, Content, Short, number};
use super::envelope::{Answer, Flaw, Said, question};
use super::pieces::Piece;
use crate::fault::Fault;
use crate::http::{Call, Head, Http, Take, Url};

/// The largest answer that is read, in bytes: a whole school with everything in it is a tenth of that.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// How often a call is made that ends in a fault of the server.
const TRIES: u32 = 3;
/// The longest wait between two of them.
const WAIT: Duration = Duration::from_secs(2);

/// A tenant and the way to it.
pub(super) struct Tenant {
    http: Http,
    url: Url,
    /// The namespace of every operation is the tenant's own address.
    namespace: String,
    access_code: SecretString,
}

/// Takes the pieces of a list or map.
pub(super) trait Hear: Send {
    /// The answer begins, perhaps again: what came before is forgotten.
    fn begin(&mut self);

    /// The next piece.
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), Flaw>;
}

impl Tenant {
    /// A tenant by its address. Its page of web services and its WSDL are the same address to us.
    pub(super) fn new(url: &str, access_code: SecretString, http: Http) -> Result<Self, Fault> {
        let bare = url
            .trim()
            .trim_end_matches("?wsdl")
            .trim_end_matches("?WSDL")
            .trim_end_matches('/');
        let parsed = Url::parse(bare).map_err(|_malformed| Fault::Config("the address of the tenant is not one"))?;
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(Fault::Config("the address of the tenant has a query in it"));
        }
        Ok(Self {
            http,
            url: parsed,
            namespace: bare.to_owned(),
            access_code,
        })
    }

    /// Calls a method that answers a list or a map. None when there was one, and all of it was heard.
    pub(super) async fn pieces(
        &self,
        method: &'static str,
        parts: &[(&str, &str)],
        most: usize,
        hear: &mut dyn Hear,
    ) -> Result<Option<Short>, Fault> {
        let mut hearing = Hearing::pieces(method, most, hear);
        self.call(method, parts, &mut hearing).await?;
        Ok(hearing.short())
    }

    /// Calls a method that answers one text.
    pub(super) async fn text(
        &self,
        method: &'static str,
        parts: &[(&str, &str)],
        most: usize,
    ) -> Result<Result<String, Code>, Fault> {
        let mut hearing = Hearing::text(method, most);
        self.call(method, parts, &mut hearing).await?;
        let text = hearing.held()?;
        Ok(number(&text).map_or(Ok(text), |number| Err(Code::of(number))))
    }

    async fn call(&self, method: &'static str, parts: &[(&str, &str)], hearing: &mut Hearing<'_>) -> Result<(), Fault> {
        // Only the table of error codes is open to everyone.
        let code = (method != "returnJsonErrorCodes").then_some(&self.access_code);
        let body = question(&self.namespace, method, code, parts);
        let action = HeaderValue::try_from(format!("\"{}#{method}\"", self.namespace))
            .map_err(|_unprintable| Fault::Config("the address of the tenant cannot stand in a header"))?;
        for attempt in 1..=TRIES {
            let call = Call::post(&self.url, "text/xml; charset=utf-8", body.clone())
                .header(HeaderName::from_static("soapaction"), action.clone())
                .accept("text/xml")
                .harmless()
                .read(&[200, 500])
                .most(MOST_BYTES);
            hearing.said = None;
            let head = self.http.fetch(&call, hearing).await?;
            match (head.status.as_u16(), hearing.said) {
                (_, Some(Said::Return)) => return Ok(()),
                (_, Some(Said::ServerFault)) | (500, None) if attempt < TRIES => {
                    let pause = self.http.pause();
                    pause.wait(pause.up_to(WAIT)).await;
                }
                (_, Some(Said::ServerFault)) | (500, None) => break,
                (_, Some(Said::OtherFault)) => return Err(broken(method, 0, "soap.fault")),
                (401 | 403, None) => return Err(Fault::Refused("the web services are closed to this hub")),
                (404 | 410, None) => {
                    return Err(Fault::Config("there are no web services at the address of the tenant"));
                }
                (_, None) => return Err(broken(method, 0, "http.status")),
            }
        }
        Err(Fault::transient("its web services fail"))
    }
}

pub(super) const fn broken(stream: &'static str, record: u64, rule: Flaw) -> Fault {
    Fault::Broken { stream, record, rule }
}

/// What a result code asks for, where it is not the answer itself.
pub(super) const fn fault_of(method: &'static str, code: Code) -> Fault {
    match code {
        Code::Refused => Fault::Refused("the access code is wrong, or its profile may not call what the hub needs"),
        Code::Failed => Fault::transient("its web services fail"),
        Code::ModuleOff => Fault::Refused("a module that the hub needs is not switched on"),
        Code::UnknownUser => broken(method, 0, "code.unknown_user"),
        Code::EmptyGroup => broken(method, 0, "code.unknown_group"),
        Code::InvalidDate => broken(method, 0, "code.invalid_date"),
        Code::Other(_) => broken(method, 0, "code.other"),
    }
}

enum Mode<'h> {
    Pieces {
        most: usize,
        content: Content,
        hear: &'h mut dyn Hear,
        short: Option<Short>,
    },
    Text {
        most: usize,
        held: Vec<u8>,
    },
}

/// An answer on its way in, through its envelope.
pub(super) struct Hearing<'h> {
    method: &'static str,
    answer: Answer,
    said: Option<Said>,
    heard: u64,
    /// The status is 500: what is not a fault in an envelope says no more than that.
    failed: bool,
    mode: Mode<'h>,
}

impl<'h> Hearing<'h> {
    const fn of(method: &'static str, mode: Mode<'h>) -> Self {
        Self {
            method,
            answer: Answer::new(),
            said: None,
            heard: 0,
            failed: false,
            mode,
        }
    }

    /// Of a list or map.
    pub(super) fn pieces(method: &'static str, most: usize, hear: &'h mut dyn Hear) -> Self {
        let mode = Mode::Pieces {
            most,
            content: Content::of_at_most(most),
            hear,
            short: None,
        };
        Self::of(method, mode)
    }

    /// Of one text.
    pub(super) const fn text(method: &'static str, most: usize) -> Self {
        Self::of(method, Mode::Text { most, held: Vec::new() })
    }

    /// What it was when it was neither list nor map.
    pub(super) const fn short(&self) -> Option<Short> {
        match self.mode {
            Mode::Pieces { short, .. } => short,
            Mode::Text { .. } => None,
        }
    }

    /// The one text.
    pub(super) fn held(self) -> Result<String, Fault> {
        let held = match self.mode {
            Mode::Text { held, .. } => held,
            Mode::Pieces { .. } => Vec::new(),
        };
        String::from_utf8(held).map_err(|_other_encoding| broken(self.method, 0, "xml.encoding"))
    }

    /// What breaks a rule breaks the answer, unless there is none to break.
    fn judged(&self, result: Result<(), Flaw>) -> Result<(), Fault> {
        match result {
            Err(flaw) if !self.failed => Err(broken(self.method, self.heard, flaw)),
            _ => Ok(()),
        }
    }
}

impl Take for Hearing<'_> {
    fn begin(&mut self, head: &Head) -> Result<(), Fault> {
        self.failed = head.status.as_u16() == 500;
        let media_type = head.media_type();
        if !self.failed && !media_type.ends_with("/xml") && !media_type.ends_with("+xml") {
            return Err(broken(self.method, 0, "http.type"));
        }
        self.answer = Answer::new();
        self.said = None;
        self.heard = 0;
        match &mut self.mode {
            Mode::Pieces {
                most,
                content,
                hear,
                short,
            } => {
                *content = Content::of_at_most(*most);
                *short = None;
                hear.begin();
            }
            Mode::Text { held, .. } => held.clear(),
        }
        Ok(())
    }

    fn some(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let (answer, mode, heard) = (&mut self.answer, &mut self.mode, &mut self.heard);
        let fed = match mode {
            Mode::Pieces { content, hear, .. } => answer.feed(bytes, &mut |text| {
                content.feed(text, &mut |piece| {
                    *heard = heard.saturating_add(1);
                    hear.piece(piece)
                })
            }),
            Mode::Text { most, held } => answer.feed(bytes, &mut |text| {
                if held.len().saturating_add(text.len()) > *most {
                    return Err("answer.too_large");
                }
                held.extend_from_slice(text);
                Ok(())
            }),
        };
        self.judged(fed)
    }

    fn end(&mut self) -> Result<(), Fault> {
        let answer = std::mem::replace(&mut self.answer, Answer::new());
        let said = answer.finish();
        self.said = said.ok();
        let whole = match (said, &mut self.mode) {
            (Ok(Said::Return), Mode::Pieces { content, short, .. }) => content.finish().map(|found| *short = found),
            (said, _) => said.map(drop),
        };
        self.judged(whole)
    }
}
