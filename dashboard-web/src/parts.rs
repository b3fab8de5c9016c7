//! The small kit every page is built from.

mod dialog;
mod field;
mod head;
mod marks;
mod past;
mod report;
mod table;
mod transfer_table;

pub use dialog::{close_dialogs, dialog, is_open, open_dialog};
pub use field::{Field, field};
pub use head::{head, head_of};
pub use marks::{address, address_full, address_marked, amount, copy, state, when};
pub use past::{past, then};
pub use report::{empty, problem, show};
pub use table::{Kind, fact, table, text};
pub use transfer_table::{Listed, no_match, transfer_rows, transfer_table};
