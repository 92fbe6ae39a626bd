//! subscribe-message-send
