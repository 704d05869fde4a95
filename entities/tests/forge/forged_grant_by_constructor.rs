//! Only the policy has its constructor.

use hub_entities::id::{PrincipalId, PupilId};
use hub_entities::policy::secret::{Asked, Grant, Reader, Rows};

fn forge(pupil: PupilId, viewer: PrincipalId, asked: Asked) -> Grant {
    Grant::new((pupil, viewer), asked, Reader::Team, Rows::All, "team")
}

fn main() {
    let _ = forge;
}
