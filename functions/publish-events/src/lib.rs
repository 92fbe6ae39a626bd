//! `publish-events`.
