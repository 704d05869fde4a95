//! What is asked of a CLB, what it refers and what a team opens: which tables each of it may touch.

use hub_entities::category::Categories;
use hub_entities::operation::{Actor, Discipline, Purpose, Role};

use super::{Steps, text};
use crate::dossier::{last_sealed, sealed};
use crate::transfers;

/// As [`super::MAY_CHANGE`].
pub(super) const MAY_CHANGE: &[(&str, &[&str])] = &[
    (
        "declineGuidanceRequest",
        &[
            "+secrecy.access_line",
            "secrecy.guidance_request.answered_at",
            "secrecy.guidance_request.answered_by",
            "secrecy.guidance_request.reason",
            "secrecy.guidance_request.state",
            "secrecy.guidance_request.version",
        ],
    ),
    (
        "takeInGuidanceRequest",
        &[
            "+secrecy.access_line",
            "+secrecy.entry",
            "+secrecy.entry_text",
            "+secrecy.team_member",
            "+secrecy.trajectory",
            "secrecy.guidance_request.answered_at",
            "secrecy.guidance_request.answered_by",
            "secrecy.guidance_request.state",
            "secrecy.guidance_request.trajectory_id",
            "secrecy.guidance_request.version",
        ],
    ),
    // The former version stays.
    (
        "correctReferral",
        &[
            "+secrecy.access_line",
            "+secrecy.referral_said",
            "secrecy.referral.version",
        ],
    ),
    (
        "moveReferral",
        &[
            "+secrecy.access_line",
            "+secrecy.referral_said",
            "secrecy.referral.version",
        ],
    ),
    (
        "refer",
        &["+secrecy.access_line", "+secrecy.referral", "+secrecy.referral_said"],
    ),
    // A copy is on its way to the main store; taken back before it is there, it does not get there.
    (
        "releaseToSchool",
        &[
            "+secrecy.access_line",
            "+secrecy.release_intent",
            "+secrecy.school_release",
        ],
    ),
    (
        "revokeRelease",
        &[
            "+secrecy.access_line",
            "+secrecy.release_intent",
            "secrecy.release_intent.applied_at",
            "secrecy.release_intent.sealed",
            "secrecy.release_intent.wrapped",
            "secrecy.school_release.over_at",
            "secrecy.school_release.over_by",
            "secrecy.school_release.over_for",
            "secrecy.school_release.version",
        ],
    ),
    (
        "answerAccessRequest",
        &[
            "+secrecy.access_lent",
            "+secrecy.access_line",
            "secrecy.access_request.answered_at",
            "secrecy.access_request.answered_by",
            "secrecy.access_request.state",
            "secrecy.access_request.version",
        ],
    ),
    ("openInEmergency", &["+secrecy.access_line", "+secrecy.emergency"]),
    // A colleague asks, or a person.
    (
        "requestAccess",
        &[
            "+secrecy.access_line",
            "+secrecy.access_request",
            "+secrecy.dossier_request",
        ],
    ),
    // When a request was first answered, and by whom, stays.
    (
        "openDossier",
        &[
            "+secrecy.access_line",
            "+secrecy.dossier_access",
            "secrecy.dossier_request.answered_at",
            "secrecy.dossier_request.answered_by",
            "secrecy.dossier_request.state",
            "secrecy.dossier_request.version",
        ],
    ),
    (
        "endDossierAccess",
        &[
            "+secrecy.access_line",
            "secrecy.dossier_access.changed_at",
            "secrecy.dossier_access.changed_by",
            "secrecy.dossier_access.ends_on",
            "secrecy.dossier_access.pupil_objects",
            "secrecy.dossier_access.version",
        ],
    ),
    (
        "refuseDossierRequest",
        &[
            "+secrecy.access_line",
            "secrecy.dossier_request.answer",
            "secrecy.dossier_request.answered_at",
            "secrecy.dossier_request.answered_by",
            "secrecy.dossier_request.state",
            "secrecy.dossier_request.version",
        ],
    ),
    (
        "requestCorrection",
        &["+secrecy.access_line", "+secrecy.correction_request"],
    ),
    // A correction is another version, own words are an entry, and of what is left out no version stays.
    (
        "grantCorrection",
        &[
            "+secrecy.access_line",
            "+secrecy.entry",
            "+secrecy.entry_text",
            "-secrecy.entry_text",
            "secrecy.correction_request.answered_at",
            "secrecy.correction_request.answered_by",
            "secrecy.correction_request.state",
            "secrecy.correction_request.version",
            "secrecy.entry.left_out_at",
            "secrecy.entry.version",
        ],
    ),
    (
        "refuseCorrection",
        &[
            "+secrecy.access_line",
            "secrecy.correction_request.answer",
            "secrecy.correction_request.answered_at",
            "secrecy.correction_request.answered_by",
            "secrecy.correction_request.state",
            "secrecy.correction_request.version",
        ],
    ),
    ("holdAccessLog", &["+secrecy.access_line", "+secrecy.log_hold"]),
    // That it was held, by whom and why, stays.
    (
        "liftAccessLogHold",
        &[
            "+secrecy.access_line",
            "secrecy.log_hold.lifted_at",
            "secrecy.log_hold.lifted_by",
            "secrecy.log_hold.version",
        ],
    ),
    // Each review is a row of its own: none is written over.
    ("reviewAccessLog", &["+secrecy.access_line", "+secrecy.log_review"]),
    // What goes is decided by it, and goes on its day: by no mutation.
    ("objectToTransfer", OBJECTED),
    ("recordTransferObjection", OBJECTED),
    ("putLegalHold", &["+secrecy.access_line", "+secrecy.legal_hold"]),
    // That it stood stays.
    (
        "liftLegalHold",
        &[
            "+secrecy.access_line",
            "secrecy.legal_hold.lifted_at",
            "secrecy.legal_hold.lifted_by",
            "secrecy.legal_hold.lifted_why",
            "secrecy.legal_hold.version",
        ],
    ),
    // A school's goes through the main store, sealed; the CLB's straight into its own.
    (
        "submitGuidanceRequest",
        &[
            "+intent",
            "+secrecy.access_line",
            "+secrecy.dossier_key",
            "+secrecy.guidance_request",
        ],
    ),
];

const OBJECTED: &[&str] = &[
    "+secrecy.access_line",
    "secrecy.transfer.objected_by",
    "secrecy.transfer.objected_on",
    "secrecy.transfer.objection",
    "secrecy.transfer.recorded_by",
    "secrecy.transfer.version",
];

/// Four pupils go to a school of the other CLB: a pupil objects, a parent, and on paper to the anchor and to the director.
pub(super) async fn transferred(steps: &mut Steps<'_>, anchor: &Actor, director: &Actor) {
    let town = steps.town;
    // The agreement of south may have ended by now.
    let school = town.world.school("123480", town.second, Categories::all()).await;
    let mut announced = Vec::new();
    for (key, born) in [
        ("og", "2012-05-01"),
        ("pim", "2018-05-01"),
        ("quin", "2012-05-01"),
        ("roos", "2012-05-01"),
    ] {
        let pupil = transfers::guided_by(town, anchor, (key, Some(born))).await.pupil;
        transfers::goes_to(town, (key, Some(born)), school, "2026-10-01").await;
        announced.push(pupil);
    }
    assert_eq!(transfers::round(town).await.announced, 4);
    let told = town
        .ask_for(director, Some(Purpose::Guidance), true, transfers::TRANSFERS)
        .await;
    let all = transfers::nodes(&told["transfers"]);
    let transfer = |pupil: &hub_entities::id::PupilId| {
        let own = all.iter().find(|one| one["pupilId"] == pupil.to_string());
        format!("transferId: {}", own.unwrap()["id"])
    };
    let done = "TransferObjected { transferId }";
    for (pupil, role) in [(&announced[0], Role::Pupil), (&announced[1], Role::Parent)] {
        let person = town.world.person(role, *pupil).await;
        let input = format!("{} text: \"words\"", transfer(pupil));
        steps.take(&person, "objectToTransfer", done, &input).await;
    }
    for (pupil, by) in [(&announced[2], anchor), (&announced[3], director)] {
        let input = format!(
            "{} by: PUPIL receivedOn: \"2026-10-01\" text: \"words\"",
            transfer(pupil)
        );
        steps.take(by, "recordTransferObjection", done, &input).await;
    }
}

/// A colleague asks for access and is given it, and a referral comes to nothing.
pub(super) async fn in_a_trajectory(steps: &mut Steps<'_>, anchor: &Actor, trajectory: &str) {
    let pedagogue = steps.town.world.worker(steps.town.first, Discipline::Pedagogue).await;
    let withheld = format!(
        "{{ dossier(pupilId: \"{}\") {{ learning {{ entries {{ ... on Withheld {{ decisionId }} }} }} }} }}",
        steps.town.ada
    );
    let purpose = Some(Purpose::Guidance);
    let withheld = steps.town.ask_for(&pedagogue, purpose, true, &withheld).await;
    let input = format!(
        "decisionId: {} reason: \"words\"",
        withheld["dossier"]["learning"]["entries"]["decisionId"]
    );
    steps
        .take(&pedagogue, "requestAccess", "AccessRequested { decisionId }", &input)
        .await;
    let waiting = format!("{{ accessRequests(pupilId: \"{}\") {{ id }} }}", steps.town.ada);
    let waiting = steps.town.ask_for(anchor, purpose, true, &waiting).await;
    let input = format!(
        "requestId: {} version: 1 lend: {{ {trajectory} until: \"2026-10-02T10:00:00Z\" }}",
        waiting["accessRequests"][0]["id"]
    );
    steps
        .take(anchor, "answerAccessRequest", "AccessAnswered { requestId }", &input)
        .await;

    let input = format!("pupilId: \"{}\" ground: NECESSITY reason: \"words\"", steps.town.ada);
    steps
        .take(&pedagogue, "openInEmergency", "EmergencyOpened { emergencyId }", &input)
        .await;

    let said = "sector: WORK partner: \"words\" reason: \"words\"";
    let noted = "ReferralNoted { referralId }";
    let referred = steps
        .take(anchor, "refer", noted, &format!("{trajectory} {said}"))
        .await;
    let referral = format!("referralId: \"{}\"", text(&referred["referralId"]));
    let input = format!("{referral} version: 1 {said}");
    steps.take(anchor, "correctReferral", noted, &input).await;
    let input = format!("{referral} version: 2 state: DROPPED outcome: \"words\"");
    steps.take(anchor, "moveReferral", noted, &input).await;
}

/// A pupil asks to read the own dossier, and a parent of who does not decide any more: it is opened and ended, refused, and
/// objected to.
pub(super) async fn to_the_person(steps: &mut Steps<'_>, anchor: &Actor, trajectory: &str) {
    let (town, purpose) = (steps.town, Some(Purpose::Guidance));
    let pupil = town.world.person(Role::Pupil, town.ada).await;
    let parent = town.world.person(Role::Parent, town.ada).await;
    let withheld = "{ dossiers { learning { entries { ... on Withheld { decisionId } } } } }";
    for (person, opens, ends) in [
        (&pupil, true, ""),
        (&pupil, false, ""),
        (&parent, true, "pupilObjects: true"),
    ] {
        if !ends.is_empty() {
            let judged = format!("{trajectory} capability: NOT_CAPABLE reason: \"words\"");
            let judged = format!("mutation {{ judgeCapability(input: {{ {judged} }}) {{ __typename }} }}");
            town.ask_for(anchor, purpose, true, &judged).await;
        }
        let withheld = town.ask_for(person, None, true, withheld).await;
        let asks = format!(
            "decisionId: {} reason: \"words\"",
            withheld["dossiers"][0]["learning"]["entries"]["decisionId"]
        );
        let asked = steps
            .take(person, "requestAccess", "AskedToRead { requestId }", &asks)
            .await;
        let request = format!("requestId: \"{}\" version: 1", text(&asked["requestId"]));
        if !opens {
            let refused = "DossierRequestRefused { requestId }";
            let input = format!("{request} reason: \"words\"");
            steps.take(anchor, "refuseDossierRequest", refused, &input).await;
            continue;
        }
        let input =
            format!("{request} {trajectory} talkOn: \"2026-10-01\" ends: \"2026-11-01\" inPupilsInterest: true");
        let opened = steps
            .take(anchor, "openDossier", "DossierOpened { accessId }", &input)
            .await;
        corrected(steps, anchor, trajectory, person).await;
        let input = format!("accessId: \"{}\" version: 1 {ends}", text(&opened["accessId"]));
        steps
            .take(anchor, "endDossierAccess", "DossierAccessEnded { accessId }", &input)
            .await;
    }
}

/// A pupil or a parent asks something of an entry that was opened: each kind is done once, and one is refused.
async fn corrected(steps: &mut Steps<'_>, anchor: &Actor, trajectory: &str, person: &Actor) {
    let written = "EntryWritten { entryId }";
    let input = format!("{trajectory} about: PUPIL text: \"words\"");
    let entry = steps.take(anchor, "writeEntry", written, &input).await;
    let entry = text(&entry["entryId"]).to_owned();
    for (kind, how) in [
        ("CORRECT", "entryVersion: 1 text: \"words\""),
        ("ADD", "entryVersion: 2"),
        ("CORRECT", ""),
        ("LEAVE_OUT", "entryVersion: 2 seriousReason: true"),
    ] {
        let input = format!("entryId: \"{entry}\" kind: {kind} text: \"words\"");
        let asked = steps
            .take(person, "requestCorrection", "CorrectionRequested { requestId }", &input)
            .await;
        let request = format!("requestId: \"{}\" version: 1", text(&asked["requestId"]));
        let (mutation, how) = match how {
            "" => ("refuseCorrection", "reason: \"words\""),
            how => ("grantCorrection", how),
        };
        steps
            .take(
                anchor,
                mutation,
                "CorrectionAnswered { version }",
                &format!("{request} {how}"),
            )
            .await;
    }
}

/// The log is held back from parents and let go, and reviewed for them.
pub(super) async fn for_parents(steps: &mut Steps<'_>, anchor: &Actor, trajectory: &str) {
    let (town, noted) = (steps.town, "AccessLogHoldNoted { holdId }");
    let held = format!("{trajectory} reason: \"words\"");
    let held = steps.take(anchor, "holdAccessLog", noted, &held).await;
    let lift = format!("holdId: \"{}\" version: 1", text(&held["holdId"]));
    steps.take(anchor, "liftAccessLogHold", noted, &lift).await;
    sealed(town).await;
    let world = &town.world;
    let officer = world.someone(Role::DataProtectionOfficer, None, Some(town.first)).await;
    let up_to = last_sealed(town, &officer, town.ada).await;
    let input = format!("pupilId: \"{}\" upTo: {up_to}", town.ada);
    steps
        .take(&officer, "reviewAccessLog", "AccessLogReviewed { position }", &input)
        .await;
}

/// The director holds the dossier back, and lets it go again.
pub(super) async fn held(steps: &mut Steps<'_>, director: &Actor) {
    let decided = "LegalHoldDecided { holdId }";
    let input = format!("pupilId: \"{}\" ground: COMPLAINT reason: \"words\"", steps.town.ada);
    let put = steps.take(director, "putLegalHold", decided, &input).await;
    let input = format!("holdId: \"{}\" version: 1 reason: \"words\"", text(&put["holdId"]));
    steps.take(director, "liftLegalHold", decided, &input).await;
}

/// Two releases to the school, under a consent that stands; one is taken back.
pub(super) async fn released(steps: &mut Steps<'_>, anchor: &Actor, trajectory: &str) {
    let noted = "ReleaseNoted { releaseId }";
    let said = "title: \"words\" advice: \"words\" purpose: \"words\" endsOn: \"2026-12-01\"";
    let input = format!("{trajectory} schoolId: \"{}\" {said}", steps.town.north.id);
    steps.take(anchor, "releaseToSchool", noted, &input).await;
    let other = steps.take(anchor, "releaseToSchool", noted, &input).await;
    let input = format!("releaseId: \"{}\" version: 1", text(&other["releaseId"]));
    steps.take(anchor, "revokeRelease", noted, &input).await;
}

/// A school asks, a parent asks; one request is taken in, one declined.
pub(super) async fn on_demand(steps: &mut Steps<'_>, anchor: &Actor) {
    let (town, received) = (steps.town, "GuidanceRequestReceived { requestId }");
    let care = town
        .world
        .someone(Role::SchoolCareTeam, Some(town.north.id), None)
        .await;
    let ask = |key: &str, more: &str| format!("idempotencyKey: \"{key}\" text: \"words\" {more}");
    steps
        .take(&care, "submitGuidanceRequest", received, &ask("one", ""))
        .await;
    let about = format!("pupilId: \"{}\" askedBy: PARENT", town.bo);
    for (key, mutation, more) in [
        ("two", "takeInGuidanceRequest", "domain: CAREER phase: BASIC_CARE"),
        ("three", "declineGuidanceRequest", "reason: \"no\""),
    ] {
        let asked = steps
            .take(anchor, "submitGuidanceRequest", received, &ask(key, &about))
            .await;
        let input = format!("requestId: \"{}\" version: 1 {more}", text(&asked["requestId"]));
        steps
            .take(anchor, mutation, "GuidanceRequestAnswered { version }", &input)
            .await;
    }
}
