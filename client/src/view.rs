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

requests! {
    /// Asks that what is parked of a view be folded again, in order, without a restart.
    RetryView {
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
        /// Events folded a second in the last minute; `null` before it was looked at twice.
        per_second: Option<u64>,
        /// Streams it could not fold; `GET /v1/views/{view}/quarantine` lists them.
        quarantined: u64,
        /// Why a retry of them was asked for that is not done yet; `null` when none is.
        retry: Option<String>,
        /// What the last retry that was asked for left.
        last_retry: Option<RetryOutcome>,
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

    /// What became of a retry.
    RetryOutcome {
        /// Streams that are folded again.
        healed: u64,
        /// Streams that are still parked.
        parked: u64,
    }

    /// A retry was asked for; `GET /v1/views` shows what becomes of it.
    RetryAccepted {
        /// The view.
        view: String,
        /// The families whose parked streams are tried again.
        families: Vec<String>,
        /// A consistency token.
        token: String,
    }

    /// A stream that a view could not fold: what the view shows of it is from before `event`, and nothing else is held up.
    ParkedStream {
        /// The stream: what an operator looks for.
        stream: String,
        /// `core` or a chain's slug.
        family: String,
        /// Its shard.
        shard: u16,
        /// The first event that could not be folded.
        event: String,
        /// Its type.
        event_type: String,
        /// Its version.
        event_version: u16,
        /// Its position in the shard.
        position: u64,
        /// How many events of the stream wait, the first one among them.
        waiting: u64,
        /// Why.
        reason: String,
    }
}
