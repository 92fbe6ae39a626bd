//! `pay-notify`.
