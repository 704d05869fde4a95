//! `clb-hub schema`: the documents that are generated and committed.

use std::process::ExitCode;

use clap::Args;
use hub_entities::operation::Realm;

use super::{Failure, say};

/// Print the schema of a realm, or the annotated example of the configuration.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// `school`, `clb`, `operations`, or `config`.
    document: String,
}

impl Schema {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let text = if self.document == "config" {
            crate::config::example()
        } else {
            let realm: Realm = self
                .document
                .parse()
                .map_err(|_unknown| Failure::Refused("say `school`, `clb`, `operations` or `config`".to_owned()))?;
            hub_graphql::sdl(realm)
        };
        say(text.trim_end(), false);
        Ok(ExitCode::SUCCESS)
    }
}
