//! What a query may ask, decided before any resolver or statement runs (R15).
//!
//! Two steps: [`text::scan`] looks at the raw text, because the parser itself recurses without a
//! bound and an overflowing stack aborts the process; [`check`] looks at the parsed document.

mod document;
mod lists;
#[cfg(test)]
mod measured;
pub mod text;

pub use document::check;
pub use lists::Lists;

/// The bounds of one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of brackets in the text.
    pub nesting: usize,
    /// Lexical tokens in the text.
    pub tokens: usize,
    /// Deepest nesting of fields.
    pub depth: u64,
    /// Aliases, counted after fragments are expanded.
    pub aliases: u64,
    /// Fields at the root of one operation, counted after fragments are expanded.
    pub root_fields: u64,
    /// Directives, counted after fragments are expanded.
    pub directives: u64,
    /// Cost points: one per field, times the page size of every list above it.
    pub cost: u64,
    /// The largest page of a list.
    pub page: u64,
    /// Whether `__schema` and `__type` may be asked. Only the demo allows it (R57).
    pub introspection: bool,
}

impl Limits {
    /// The bounds of R15, and a cost that lets a full page of 200 pupils carry fifty fields each.
    pub const DEFAULT: Self = Self {
        nesting: 64,
        tokens: 2_000,
        depth: 10,
        aliases: 30,
        root_fields: 10,
        directives: 50,
        cost: 20_000,
        page: 200,
        introspection: false,
    };
}

/// Cost points of a document: an upper estimate of the fields its answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(pub u64);

/// Why a query is refused. Carries no part of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Brackets nested too deeply.
    #[error("the query nests its brackets too deeply")]
    Nesting,
    /// Too many tokens.
    #[error("the query has too many tokens")]
    Tokens,
    /// Fields nested too deeply.
    #[error("the query is too deep")]
    Depth,
    /// Too many aliases.
    #[error("the query has too many aliases")]
    Aliases,
    /// Too many fields at the root.
    #[error("the query has too many root fields")]
    RootFields,
    /// Too many directives.
    #[error("the query has too many directives")]
    Directives,
    /// The answer would be too large.
    #[error("the query costs too much; ask for smaller pages or fewer fields")]
    Cost,
    /// A page that is too large.
    #[error("a list is read in pages of 1 to 200")]
    Page,
    /// A fragment contains itself.
    #[error("a fragment of the query contains itself")]
    FragmentCycle,
    /// Introspection is off.
    #[error("introspection is off; the schema is published with the product")]
    Introspection,
}

impl Refusal {
    /// The code in `errors[].extensions.code` and the label in the metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Nesting => "LIMIT_NESTING",
            Self::Tokens => "LIMIT_TOKENS",
            Self::Depth => "LIMIT_DEPTH",
            Self::Aliases => "LIMIT_ALIASES",
            Self::RootFields => "LIMIT_ROOT_FIELDS",
            Self::Directives => "LIMIT_DIRECTIVES",
            Self::Cost => "LIMIT_COST",
            Self::Page => "PAGE_INVALID",
            Self::FragmentCycle => "LIMIT_FRAGMENT_CYCLE",
            Self::Introspection => "INTROSPECTION_OFF",
        }
    }
}
