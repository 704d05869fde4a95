//! A grant is decided, not made: its fields are private.

use hub_entities::id::{PrincipalId, PupilId};
use hub_entities::policy::secret::{Asked, Grant, Reader, Rows};

fn forge(pupil: PupilId, viewer: PrincipalId, asked: Asked) -> Grant {
    Grant {
        pupil,
        viewer,
        asked,
        reader: Reader::Team,
        rows: Rows::All,
        rule: "team",
    }
}

fn main() {
    let _ = forge;
}
