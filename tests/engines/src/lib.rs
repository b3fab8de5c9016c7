//! Starts the real engines for tests: free ports, temporary data, and an end with whoever started them.
