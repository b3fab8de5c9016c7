//! Relay connections over keyset pages. A page may be short, even empty, while `hasNextPage` is true: then `endCursor`
//! is where the list goes on.

use async_graphql::SimpleObject;
use vaultstream_event_schemas::{ErrorCode, OrganizationId};
use vaultstream_projectors::read::{Page, PageRequest};

use crate::limits;
use crate::refusal::{self, Refusal};
use crate::services::Services;

/// Where a page stands in its list.
#[derive(SimpleObject, Debug, Clone, PartialEq, Eq)]
pub struct PageInfo {
    /// Whether the list goes on before the page; of a list that is read from its beginning only whether `after` was given.
    pub has_previous_page: bool,
    /// Whether the list goes on behind the page; of a list that is read from its end only whether `before` was given.
    pub has_next_page: bool,
    /// The cursor of the first entry; `before` takes it, where there is one.
    pub start_cursor: Option<String>,
    /// Where the list goes on; `after` takes it.
    pub end_cursor: Option<String>,
}

/// A list of one tenant with its filter and sort: what its cursors are bound to.
pub struct List<'a> {
    services: &'a Services,
    name: String,
}

impl<'a> List<'a> {
    /// Names a list; `question` holds filter and sort.
    pub fn new(services: &'a Services, organization: OrganizationId, question: &str) -> Self {
        Self {
            services,
            name: format!("{organization}/{question}"),
        }
    }

    /// The page that is asked for.
    pub fn page(&self, first: i32, after: Option<&str>) -> Result<PageRequest, Refusal> {
        let limit = limits::page_size(first)?;
        let Some(after) = after else {
            return Ok(PageRequest::first(limit));
        };
        Ok(PageRequest::after(self.open("after", after)?, limit))
    }

    /// What a cursor of this list holds, given in an argument.
    pub fn open(&self, argument: &str, cursor: &str) -> Result<Vec<u8>, Refusal> {
        let opened = self.services.mac.open_cursor(&self.name, cursor);
        opened.map_err(|e| refusal::token(ErrorCode::CursorInvalid, argument, e))
    }

    /// A cursor of this list.
    pub fn cursor(&self, holds: &[u8]) -> String {
        self.services.mac.seal_cursor(&self.name, holds)
    }

    /// Seals the cursors of a page and says where it stands.
    pub fn seal<T>(&self, page: Page<T>, request: &PageRequest) -> (Vec<(String, T)>, PageInfo) {
        let next = page.next.as_deref().map(|after| self.cursor(after));
        let entries: Vec<_> = page
            .items
            .into_iter()
            .map(|edge| (self.cursor(&edge.cursor), edge.row))
            .collect();
        let info = PageInfo {
            has_previous_page: request.after.is_some(),
            has_next_page: next.is_some(),
            start_cursor: entries.first().map(|(cursor, _)| cursor.clone()),
            end_cursor: next.or_else(|| entries.last().map(|(cursor, _)| cursor.clone())),
        };
        (entries, info)
    }
}

/// Declares a connection and its edge over a node.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty) => {
        /// A page of a list.
        #[derive(async_graphql::SimpleObject)]
        pub struct $connection {
            edges: Vec<$edge>,
            /// The entries without their cursors.
            nodes: Vec<$node>,
            page_info: crate::schema::connection::PageInfo,
        }

        /// An entry of a page.
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// Goes on after this entry.
            cursor: String,
            node: $node,
        }

        impl $connection {
            /// A page of sealed entries.
            pub fn new(
                entries: Vec<(String, $node)>,
                page_info: crate::schema::connection::PageInfo,
            ) -> Self {
                let nodes = entries.iter().map(|(_, node)| node.clone()).collect();
                let edges = entries
                    .into_iter()
                    .map(|(cursor, node)| $edge { cursor, node })
                    .collect();
                Self {
                    edges,
                    nodes,
                    page_info,
                }
            }
        }
    };
}
pub(crate) use connection;
