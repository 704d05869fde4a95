//! There is no default of it.

use hub_entities::policy::Relations;

fn forge() -> Relations {
    Relations::default()
}

fn main() {
    let _ = forge;
}
