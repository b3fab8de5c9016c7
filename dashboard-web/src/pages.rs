//! The pages, one file a route.

mod execution;
mod home;
mod new_transfer;
mod new_vault;
mod search;
mod sign_in;
mod transfer;
mod transfers;
mod unknown;
mod vault;
mod vaults;

pub use execution::execution;
pub use home::home;
pub use new_transfer::new_transfer;
pub use new_vault::new_vault;
pub use search::search;
pub use sign_in::sign_in;
pub use transfer::transfer;
pub use transfers::transfers;
pub use unknown::unknown;
pub use vault::vault;
pub use vaults::vaults;
