//! GraphQL and reads.
