//! Pure decisions and the ports.
