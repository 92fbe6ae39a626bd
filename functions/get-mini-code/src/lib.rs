//! get-mini-code
