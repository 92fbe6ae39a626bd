//! generic-request
