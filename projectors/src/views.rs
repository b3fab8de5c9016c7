//! The views, one file each.

mod balances;
mod directory;
mod feed;
mod lookup;
mod transfers;
mod vaults;

use std::sync::Arc;

pub use balances::Balances;
pub use directory::Directory;
pub use feed::Feed;
pub use lookup::Lookup;
pub use transfers::Transfers;
pub use vaults::Vaults;
use vaultstream_domain::ports::view_store::Table;

use crate::tables;
use crate::view::View;
use crate::view_name::ViewName;

/// Tables that every view has.
const EVERYWHERE: [Table; 2] = [tables::QUARANTINE, tables::ABOUT];

/// The view of a name.
pub fn view(name: ViewName) -> Arc<dyn View> {
    match name {
        ViewName::Directory => Arc::new(Directory),
        ViewName::Vaults => Arc::new(Vaults),
        ViewName::Balances => Arc::new(Balances),
        ViewName::Transfers => Arc::new(Transfers),
        ViewName::Feed => Arc::new(Feed::default()),
        ViewName::Lookup => Arc::new(Lookup),
    }
}

/// Every table of a view, those included that every view has.
pub fn tables_of(view: &dyn View) -> Vec<Table> {
    view.tables().iter().copied().chain(EVERYWHERE).collect()
}
