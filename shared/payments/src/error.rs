use table_rows::{TableError, WrongAttribute};

/// What can come of a call to this crate instead of a result.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// The table did not do what was asked.
    #[error(transparent)]
    Table(#[from] TableError),
    /// There is no such order, or it is another owner's: callers cannot tell.
    #[error("there is no such order")]
    UnknownOrder,
    /// A new order lacks what it needs.
    #[error("{field}: is required for a new order")]
    Incomplete {
        /// What is missing.
        field: &'static str,
    },
    /// The number was used for another order, or the refund's for another amount.
    #[error("{field}: differs from what was said before under this number")]
    Differs {
        /// What differs.
        field: &'static str,
    },
    /// The order is in a state in which this cannot be done.
    #[error("the order {state}")]
    NotNow {
        /// What it is, as the rest of a sentence: `has expired`, `is paid`.
        state: &'static str,
    },
    /// Alipay named another trade than the one that the order has.
    #[error("the order has another trade")]
    OtherTrade,
    /// Something has more parts, or is longer, than a row or an event holds.
    #[error("{field}: is over the limit of {limit}")]
    TooLarge {
        /// What.
        field: &'static str,
        /// The limit, in its own unit.
        limit: usize,
    },
    /// A stored row lacks what it must have.
    #[error("a stored record is damaged: {field}")]
    Corrupt {
        /// The attribute in question.
        field: &'static str,
    },
    /// Others kept changing the same row while this call tried to; nothing was written by it.
    #[error("the row changed at the same time")]
    Conflict,
}

impl From<WrongAttribute> for PaymentError {
    fn from(WrongAttribute { field }: WrongAttribute) -> Self {
        Self::Corrupt { field }
    }
}

impl PaymentError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Table(error) => error.is_transient(),
            Self::Conflict => true,
            _ => false,
        }
    }
}
