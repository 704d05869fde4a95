//! Relations to a pupil are loaded, not assumed.

use hub_entities::policy::secret::Ties;

fn forge() -> Ties {
    Ties::default()
}

fn main() {
    let _ = forge;
}
