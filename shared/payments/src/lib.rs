#![doc = include_str!("../README.md")]

mod amount;
mod error;
mod event;
mod messages;
mod order;
mod orders;
mod outbox;
mod row;
mod table;

pub use amount::{Amount, NotAnAmount};
pub use error::PaymentError;
pub use event::{Event, EventKind};
pub use messages::{Message, Messages};
pub use order::{
    Buyer, Finding, NotANumber, Order, OrderNumber, OrderState, Product, Refund, RefundNumber,
};
pub use orders::{OrderRequest, Orders, Recorded, RefundBegun};
pub use outbox::{Due, Outbox, Unpublished};
pub use table::{ORDER_TTL_ATTRIBUTE, OrderTable, UNPUBLISHED_INDEX, create_order_table};
