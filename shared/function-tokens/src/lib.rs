//! function-tokens
