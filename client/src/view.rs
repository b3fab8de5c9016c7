//! Views: how far they are, and rebuilds of them. For keys of the platform organization.

requests! {
    /// Asks for a rebuild of a view.
    RebuildView {
        /// `core` or a chain's slug; every family that the view has a store in unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        family: Option<String>,
        /// 1 to 500 printable characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
}

words! {
    /// Where a rebuild is.
    RebuildStatus {
        /// It was asked for.
        Requested,
        /// A new generation is being built beside the one that is read.
        Building,
        /// The newest one was given up; the old generation is read as before.
        Failed,
    }
}

answers! {
    /// A view in one family.
    View {
        /// Its name.
        view: String,
        /// `core` or a chain's slug.
        family: String,
        /// The generation that is read.
        generation: u32,
        /// Events folded, over the family's shards.
        position: u64,
        /// Events in the log, over the family's shards.
        head: u64,
        /// How long the oldest event that is not folded has waited, in milliseconds; 0 when everything is folded.
        lag_ms: u64,
        /// Streams it could not fold.
        quarantined: u64,
        /// The rebuild that was asked for, is running, or was given up last; `null` when there is none.
        rebuild: Option<Rebuild>,
    }

    /// A rebuild that has not ended well yet.
    Rebuild {
        /// Where it is.
        status: RebuildStatus,
        /// The generation that is or was being built; `null` before it has begun.
        generation: Option<u32>,
        /// Why it was asked for, or why it was given up.
        reason: String,
    }

    /// A rebuild was asked for; `GET /v1/views` shows what becomes of it.
    RebuildAccepted {
        /// The view.
        view: String,
        /// The families that are rebuilt.
        families: Vec<ViewGeneration>,
        /// A consistency token.
        token: String,
    }

    /// The generation of a view that is read in a family. A greater one, later, is a rebuild that ended well.
    ViewGeneration {
        /// `core` or a chain's slug.
        family: String,
        /// The generation.
        generation: u32,
    }
}
