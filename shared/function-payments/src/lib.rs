#![doc = include_str!("../README.md")]

mod asking;
mod failure;
mod notify_url;
mod publisher;
mod record;
mod sweep;

pub use asking::{AskError, Asked, AskedRefund, Standing};
pub use failure::payment_failure;
pub use notify_url::NotifyUrl;
pub use payments::{
    Amount, Buyer, Finding, Message, Order, OrderNumber, OrderRequest, OrderState, PaymentError,
    Product, Refund, RefundBegun, RefundNumber,
};
pub use publisher::Publisher;
pub use record::Payments;
pub use sweep::PublishSummary;
