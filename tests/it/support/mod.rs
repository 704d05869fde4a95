//! What tests stand on.

pub(crate) mod coverage;
pub(crate) mod database;
pub(crate) mod door;
pub(crate) mod front;
pub(crate) mod look;
pub(crate) mod package;
pub(crate) mod process;
pub(crate) mod region;
pub(crate) mod schema;
pub(crate) mod source;
pub(crate) mod tenant;
pub(crate) mod town;
pub(crate) mod wire;
pub(crate) mod world;
