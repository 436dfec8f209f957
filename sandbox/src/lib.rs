//! Runs one command hermetically.
