//! Erasure: what personal data a subject has, and its end.

use vaultstream_event_schemas::{Actor, Grounds, Timestamp};

requests! {
    /// Destroys the key of a subject's personal data, for ever.
    EraseSubject {
        /// Whose: a transfer (trf_…, its memo) or an organization (org_…, its contact).
        #[cfg_attr(feature = "openapi", schema(example = "trf_…"))]
        subject: String,
        /// What dies with the key, named as a confirmation: exactly what `GET /v1/erasures/{subject}` lists.
        #[cfg_attr(feature = "openapi", schema(example = json!(["memo"])))]
        data: Vec<String>,
        /// On what grounds: `request`, `retention` or `mistake`. Never free text, which could be personal itself.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "request"))]
        grounds: Grounds,
    }
}

words! {
    /// What is left of a piece of personal data.
    DatumStatus {
        /// There never was any.
        Absent,
        /// It is kept, encrypted under the subject's key.
        Held,
        /// The key was destroyed; the ciphertext that remains says nothing to anybody.
        Erased,
    }
}

answers! {
    /// The personal data of a subject and whether it was erased.
    Erasure {
        /// Whose: trf_… or org_….
        subject: String,
        /// What there is or was, by name.
        data: Vec<Datum>,
        /// Whether the keyring itself says that the key is destroyed.
        key_destroyed: bool,
        /// On what grounds it was erased.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "request"))]
        grounds: Option<Grounds>,
        /// When its erasure was ordered.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
        erased_at: Option<Timestamp>,
        /// Who ordered it: `key:key_…` or `session:ses_…`.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
        erased_by: Option<Actor>,
        /// The event that says so.
        event: Option<String>,
        /// A consistency token, in answers to commands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    }

    /// A piece of personal data.
    Datum {
        /// Its name: `memo` or `contact`.
        name: String,
        /// What is left of it.
        status: DatumStatus,
    }
}
