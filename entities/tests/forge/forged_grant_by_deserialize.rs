//! A grant is not read from outside data.

use hub_entities::policy::secret::Grant;

fn needs<'a, T: serde::Deserialize<'a>>() {}

fn main() {
    needs::<Grant>();
}
