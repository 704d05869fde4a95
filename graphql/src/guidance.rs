//! Asking for guidance (aanmelding): it works on demand (vraaggestuurd). Whoever asks is told that it was received, and no
//! more: what comes of it is under professional secrecy.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};
use chrono::{DateTime, Utc};
use hub_entities::dossier::trajectory::AskedBy;
use hub_entities::id::{GuidanceRequestId, PupilId, SchoolId};

use crate::asked::{Asked, id};
use crate::outcome::{Invalid, NotPossible, Reason};
use crate::problem::Problem;
use crate::scalar::Gid;

/// The longest text of a request, in bytes.
const LONGEST: usize = 16_384;

/// The longest name of a request.
const LONGEST_KEY: usize = 128;

/// What is asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Ask {
    /// What the asker calls it.
    pub key: String,
    /// About whom.
    pub pupil: Option<PupilId>,
    /// For which school, where a CLB asks.
    pub school: Option<SchoolId>,
    /// Who asks.
    pub asked_by: AskedBy,
    /// What is asked.
    pub text: String,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret is written into no log.
        f.write_str("Ask(…)")
    }
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It was received: its number, and when.
    Done(GuidanceRequestId, DateTime<Utc>),
    /// This field of the input cannot be right.
    Invalid(&'static str),
    /// No CLB takes it in here.
    State,
    /// There is no such pupil or school for this viewer.
    Unknown,
}

/// A school asks its CLB.
#[derive(Clone, InputObject)]
pub struct SubmitGuidanceRequestInput {
    /// A name of the asker's choice, 1 to 128 characters: asked again under it, it is the same request.
    #[graphql(tag = "class:public")]
    pub idempotency_key: String,
    /// The pupil; none for advice to the school itself (consultatieve begeleiding, phase 1).
    #[graphql(tag = "class:public")]
    pub pupil_id: Option<ID>,
    /// What is asked: not blank, at most 16,384 bytes. It is under professional secrecy from here on.
    #[graphql(tag = "class:public", secret)]
    pub text: String,
}

/// It was received. That is all the asker learns of it.
#[derive(Debug, Clone, SimpleObject)]
pub struct GuidanceRequestReceived {
    /// Its number.
    #[graphql(tag = "class:case")]
    pub request_id: Gid<GuidanceRequestId>,
    /// When it was received first.
    #[graphql(tag = "class:case")]
    pub received_at: DateTime<Utc>,
}

/// What came of `submitGuidanceRequest`.
#[derive(Union)]
pub enum SubmitGuidanceRequestPayload {
    /// It was received.
    Received(GuidanceRequestReceived),
    /// The input cannot be right.
    Invalid(Invalid),
    /// Not now, or not by this viewer.
    NotPossible(NotPossible),
}

impl From<Received> for SubmitGuidanceRequestPayload {
    fn from(received: Received) -> Self {
        match received {
            Received::Done(id, received_at) => Self::Received(GuidanceRequestReceived {
                request_id: Gid(id),
                received_at,
            }),
            Received::Invalid(field) => Self::Invalid(Invalid::of(field)),
            Received::State => Self::NotPossible(Reason::State.into()),
            Received::Unknown => Self::NotPossible(Reason::Unknown.into()),
        }
    }
}

/// Asks, unless what is asked cannot be right: no id of a pupil or school is the id of nobody.
pub(crate) async fn ask(
    context: &Context<'_>,
    (pupil, school): (Option<&ID>, Option<&ID>),
    asked_by: AskedBy,
    (key, text): (String, String),
) -> Result<SubmitGuidanceRequestPayload, Problem> {
    let asked = Asked::of(context)?;
    if key.is_empty() || key.chars().count() > LONGEST_KEY {
        return Ok(Received::Invalid("idempotencyKey").into());
    }
    if text.trim().is_empty() || text.len() > LONGEST {
        return Ok(Received::Invalid("text").into());
    }
    let (about, at) = (pupil.and_then(id), school.and_then(id));
    if pupil.is_some() != about.is_some() || school.is_some() != at.is_some() {
        return Ok(Received::Unknown.into());
    }
    let ask = Ask {
        key,
        pupil: about,
        school: at,
        asked_by,
        text,
    };
    Ok(asked.hub.ask_guidance(asked.operation, ask).await?.into())
}

/// What a school asks of its CLB.
#[derive(Default)]
pub struct SchoolGuidanceMutation;

#[Object]
impl SchoolGuidanceMutation {
    /// Asks the CLB for guidance of a pupil of the school, or for advice to the school itself. The CLB asks for the agreement
    /// of who decides before it begins; the school is told that the request was received.
    #[graphql(tag = "class:public")]
    async fn submit_guidance_request(
        &self,
        context: &Context<'_>,
        #[graphql(tag = "class:public", desc = "What is asked.")] input: SubmitGuidanceRequestInput,
    ) -> Result<SubmitGuidanceRequestPayload, Problem> {
        let said = (input.idempotency_key, input.text);
        ask(context, (input.pupil_id.as_ref(), None), AskedBy::School, said).await
    }
}
