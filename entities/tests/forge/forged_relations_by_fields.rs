//! Facts are loaded, not claimed: the fields are private.

use hub_entities::policy::Relations;

fn forge() -> Relations {
    Relations {
        principal: None,
        agreements: Vec::new(),
        grants: Vec::new(),
    }
}

fn main() {
    let _ = forge;
}
