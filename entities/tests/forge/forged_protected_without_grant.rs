//! A protected value takes the grant that opened it.

use hub_entities::policy::secret::{Opened, Protected};

fn forge(value: String) -> Protected<String> {
    Protected::Granted(Opened(value))
}

fn main() {
    let _ = forge;
}
