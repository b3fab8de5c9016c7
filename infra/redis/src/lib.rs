//! The cluster's cache and shared rate limits on Redis.
