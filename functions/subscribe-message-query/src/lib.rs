//! subscribeMessage.query: which message templates a user subscribed to.
