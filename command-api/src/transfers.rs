//! Transfers: request or rehearse, approve, deny, cancel.

mod decide;
mod payer;
mod request;

use std::sync::Arc;

use vaultstream_gateway::Routes;

use crate::services::Services;

pub(crate) fn serve(routes: Routes<Arc<Services>>) -> Routes<Arc<Services>> {
    routes
        .on("requestTransfer", request::request)
        .on("approveTransfer", decide::approve)
        .on("denyTransfer", decide::deny)
        .on("cancelTransfer", decide::cancel)
}
