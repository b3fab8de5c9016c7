//! What runs on the ports.
