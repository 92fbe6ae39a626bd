//! `app-pay`.
