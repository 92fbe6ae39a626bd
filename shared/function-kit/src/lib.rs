//! function-kit
