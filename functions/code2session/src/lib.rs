//! code2session
