//! What became of a command.

use vaultstream_event_schemas::{CommandId, Timestamp};

words! {
    /// What became of a command.
    CommandStatus {
        /// It was claimed and its resource does not exist (yet): send the request again to learn more.
        Claimed,
        /// Its resource exists.
        Done,
    }
}

answers! {
    /// A command that was sent with an Idempotency-Key.
    Command {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: CommandId,
        /// What became of it.
        status: CommandStatus,
        /// The id of the resource it created or acted on.
        resource: String,
        /// Where the resource is read.
        href: Option<String>,
        /// When it was claimed.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        created_at: Timestamp,
    }
}
