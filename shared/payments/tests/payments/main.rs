//! Orders, messages and their events against a real DynamoDB over HTTP: the embedded one.
//!
//! Which test stands for which row of the project's lists of cases (N: notices, Y: pay strings, I: idempotency):
//!
//! | row | the case | tests |
//! |---|---|---|
//! | N-11, Y-06 | amounts that are none | the unit tests of `amount` |
//! | N-30 | the same notice 50 times at once | `findings::fifty_at_once_with_the_same_finding_make_one_event` |
//! | N-31 | two notices of one payment | `findings::a_second_notice_of_the_same_payment_changes_nothing` |
//! | N-32 | what comes late | the unit tests of `order`, `findings::what_comes_late_takes_nothing_back` |
//! | N-33, N-34, I-03 | the table is away, or the process dies | all of `crashes` |
//! | Y-02 | a number again with another amount | `orders::a_number_that_was_used_for_something_else_is_refused` |
//! | Y-04 | somebody else's order | `orders::another_owners_order_is_not_there` |
//! | I-01 | a message again | `messages::a_message_is_recorded_once` |
//! | I-02 | a refund's number with another amount | `refunds::a_number_means_one_amount_until_the_refund_is_given_up` |
//! | I-07 | who was overtaken reports late | `outbox::a_holder_that_was_overtaken_takes_out_nothing_but_its_own_events` |
//! | I-08 | what does not fit into a row | `messages::what_is_too_long_is_refused`, `orders::what_does_not_fit_into_a_row_is_refused` |
//!
//! `schedules` compares random histories of writers, sweepers and deaths with what the outbox promises.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod bench;
mod crashes;
mod damaged;
mod findings;
mod messages;
mod orders;
mod outbox;
mod refunds;
mod schedules;
