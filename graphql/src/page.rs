//! Pages: `first` is required and capped, and a cursor belongs to one viewer and one list.
//!
//! A cursor holds the id and the sort key of a row that the viewer has just seen, and a tag
//! (HMAC-SHA-256) over viewer, realm, list, filter and order. With another viewer's cursor, or one
//! that was altered, nobody can ask what lies behind a value (`CURSOR_INVALID`).

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::parser::types::Field;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, SimpleObject, Value, registry};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::NaiveDate;
use hmac::{Hmac, Mac as _};
use hub_entities::operation::{Actor, Operation};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::problem::Problem;

/// The most rows of one page.
pub const MOST: i32 = 200;

/// The length of the tag in a cursor, in bytes.
const TAG: usize = 16;

/// The key that cursors are tagged with: the same on every replica.
#[derive(Clone)]
pub struct CursorKey(Hmac<Sha256>);

impl std::fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CursorKey")
    }
}

impl CursorKey {
    /// From 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        // A key shorter than a block is a block with zeroes behind it (RFC 2104 §2).
        let mut block = [0; 64];
        let (key, _zeroes) = block.split_at_mut(secret.len());
        key.copy_from_slice(secret);
        Self(Hmac::new(&block.into()))
    }

    fn tag(&self, operation: &Operation, list: &str, body: &[u8]) -> Hmac<Sha256> {
        let viewer = match &operation.actor {
            Actor::Principal { id, role, .. } => format!("{id} {role}"),
            other => format!("{other:?}"),
        };
        let mut mac = self.0.clone();
        for part in [viewer.as_bytes(), list.as_bytes(), body] {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac
    }

    /// The cursor of a row in this viewer's list.
    pub(crate) fn seal<M: Serialize>(&self, operation: &Operation, list: &str, mark: &M) -> Result<String, Problem> {
        let mut body = serde_json::to_vec(mark).map_err(|_unwritable| Problem::Unavailable)?;
        let tag = self.tag(operation, list, &body).finalize().into_bytes();
        body.extend(tag.iter().take(TAG));
        Ok(URL_SAFE_NO_PAD.encode(body))
    }

    /// The row a cursor stands for, if it was made for this viewer and this list.
    pub(crate) fn open<M: for<'de> Deserialize<'de>>(
        &self,
        operation: &Operation,
        list: &str,
        cursor: &str,
    ) -> Result<M, Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().ok_or(Problem::CursorInvalid)?;
        let at = bytes.len().checked_sub(TAG).ok_or(Problem::CursorInvalid)?;
        let (body, tag) = bytes.split_at_checked(at).ok_or(Problem::CursorInvalid)?;
        let mac = self.tag(operation, list, body);
        // Compared in constant time.
        mac.verify_truncated_left(tag).ok().ok_or(Problem::CursorInvalid)?;
        serde_json::from_slice(body).ok().ok_or(Problem::CursorInvalid)
    }
}

/// What a list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortKey {
    /// By id alone; or the key is withheld from this viewer, who then sees it last.
    #[serde(rename = "i")]
    Id,
    /// A text.
    #[serde(rename = "t")]
    Text(String),
    /// A number.
    #[serde(rename = "n")]
    Number(i64),
    /// A half-day: its date, and 0 for the morning or 1 for the afternoon.
    #[serde(rename = "h")]
    HalfDay(NaiveDate, i16),
}

/// Where a row stands in its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// By what it is sorted.
    #[serde(rename = "k")]
    pub key: SortKey,
    /// Its id, which decides between equals.
    #[serde(rename = "d")]
    pub id: Uuid,
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// At most so many rows, 1 to [`MOST`].
    pub first: u32,
    /// After this row.
    pub after: Option<Mark>,
    /// Whether the rows of the whole list are counted too.
    pub count: bool,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<T> {
    /// The rows, each with where it stands.
    pub rows: Vec<(Mark, T)>,
    /// Whether there are more.
    pub more: bool,
    /// How many there are in all within the viewer's scope, if it was asked.
    pub total: Option<i64>,
}

impl<T> Slice<T> {
    /// A list with nothing in it.
    pub const fn empty(count: bool) -> Self {
        Self {
            rows: Vec::new(),
            more: false,
            total: if count { Some(0) } else { None },
        }
    }

    /// The same part, with each row as something else.
    pub fn map<U>(self, of: impl Fn(T) -> U) -> Slice<U> {
        Slice {
            rows: self.rows.into_iter().map(|(mark, row)| (mark, of(row))).collect(),
            more: self.more,
            total: self.total,
        }
    }
}

/// The cursor of a row: sealed for the viewer when it is answered, and only where it is asked for.
#[derive(Debug, Clone)]
pub struct Cursor {
    list: Arc<str>,
    mark: Mark,
}

impl Cursor {
    /// Where a row stands in this list.
    pub(crate) fn new(list: &Arc<str>, mark: Mark) -> Self {
        Self {
            list: Arc::clone(list),
            mark,
        }
    }
}

impl OutputType for Cursor {
    fn type_name() -> Cow<'static, str> {
        <String as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut registry::Registry) -> String {
        <String as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, context: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        self.sealed(context, field)
    }
}

impl Cursor {
    /// Sealed for this viewer.
    pub(crate) fn sealed(&self, context: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let sealed = match (context.data_opt::<Arc<Operation>>(), context.data_opt::<CursorKey>()) {
            (Some(operation), Some(keys)) => keys.seal(operation, &self.list, &self.mark),
            _ => Err(Problem::Unavailable),
        };
        sealed.map(Value::String).map_err(|problem| {
            let error: async_graphql::Error = problem.into();
            error.into_server_error(field.pos)
        })
    }
}

/// Whether there is more, and where to go on.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(serial)]
pub struct PageInfo {
    /// Whether there are more rows after this page.
    #[graphql(tag = "class:public")]
    pub has_next_page: bool,
    /// Lists are read forwards only.
    #[graphql(tag = "class:public")]
    pub has_previous_page: bool,
    /// The cursor of the first row of this page.
    #[graphql(tag = "class:public")]
    pub start_cursor: Option<Cursor>,
    /// The cursor of the last row of this page: the next page is `after` it.
    #[graphql(tag = "class:public")]
    pub end_cursor: Option<Cursor>,
}

/// How many rows a page has, if that is allowed.
pub(crate) fn size(first: i32) -> Result<u32, Problem> {
    match u32::try_from(first) {
        Ok(size) if (1..=MOST).contains(&first) => Ok(size),
        _ => Err(Problem::PageInvalid),
    }
}

/// A Relay connection of one noun; `$class` is what the number of rows tells of.
macro_rules! connection {
    ($(#[$doc:meta])* $connection:ident, $edge:ident, $node:ty, $class:literal) => {
        $crate::page::connection!($(#[$doc])* $connection, $edge, $node, $class, Vec<$edge>, std::convert::identity);
    };
    // Rows whose values are all at hand.
    ($(#[$doc:meta])* $connection:ident, $edge:ident, $node:ty, $class:literal, at hand) => {
        $crate::page::connection!(
            $(#[$doc])* $connection, $edge, $node, $class, $crate::at_hand::Rows<$edge>, $crate::at_hand::Rows::from
        );

        impl $crate::at_hand::AtHand for $edge {
            async fn fetch(
                &self,
                context: &async_graphql::ContextSelectionSet<'_>,
                of: &async_graphql::Positioned<async_graphql::parser::types::SelectionSet>,
            ) -> bool {
                $crate::at_hand::fetch_below(&self.node, "node", context, of).await
            }

            fn value<'a>(
                &self,
                asking: &$crate::at_hand::Asking<'a, '_>,
                field: &'a async_graphql::Positioned<async_graphql::parser::types::Field>,
            ) -> async_graphql::ServerResult<async_graphql::Value> {
                match field.node.name.node.as_str() {
                    "node" => asking.object(&field.node.selection_set, &self.node),
                    "cursor" => self.cursor.sealed(asking.context, field),
                    _ => Err($crate::at_hand::missing(field)),
                }
            }
        }
    };
    ($(#[$doc:meta])* $connection:ident, $edge:ident, $node:ty, $class:literal, $edges:ty, $as_edges:expr) => {
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject)]
        #[graphql(serial)]
        pub struct $connection {
            /// The rows of this page.
            #[graphql(tag = "class:public")]
            pub edges: $edges,
            /// Whether there is more, and where to go on.
            #[graphql(tag = "class:public")]
            pub page_info: $crate::page::PageInfo,
            /// How many rows the whole list has within the viewer's scope.
            #[graphql(tag = $class)]
            pub total_count: Option<i64>,
        }

        /// One row of a page.
        #[derive(async_graphql::SimpleObject)]
        #[graphql(serial)]
        pub struct $edge {
            /// The row.
            #[graphql(tag = "class:public")]
            pub node: $node,
            /// Where it stands in this viewer's list.
            #[graphql(tag = "class:public")]
            pub cursor: $crate::page::Cursor,
        }

        impl $connection {
            /// The page as it is answered.
            pub(crate) fn of(list: &str, slice: $crate::page::Slice<$node>) -> Self {
                let list: std::sync::Arc<str> = list.into();
                let edge = |(mark, node)| $edge { node, cursor: $crate::page::Cursor::new(&list, mark) };
                let edges: Vec<$edge> = slice.rows.into_iter().map(edge).collect();
                let page_info = $crate::page::PageInfo {
                    has_next_page: slice.more,
                    has_previous_page: false,
                    start_cursor: edges.first().map(|edge| edge.cursor.clone()),
                    end_cursor: edges.last().map(|edge| edge.cursor.clone()),
                };
                Self { edges: $as_edges(edges), page_info, total_count: slice.total }
            }
        }
    };
}

pub(crate) use connection;
