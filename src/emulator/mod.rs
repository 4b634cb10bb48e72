//! Google's APIs on a loopback port.
