//! The function over embedded DynamoDB and an embedded event bus, with the simulator as Alipay: its gateway, and the cashier.
//!
//! | case of the project's list | test |
//! |---|---|
//! | Y-01 the client says the amount | `placing::the_amount_is_the_orders_whoever_says_another` |
//! | Y-02 one number, two amounts | `placing::a_number_means_one_order` |
//! | Y-03 the client says 9000 | `results::nothing_that_a_client_says_makes_an_order_paid` |
//! | Y-04 somebody else's order | `standing::an_order_of_another_owner_or_app_does_not_exist` |
//! | Y-05 target_id of a login | app-auth |
//! | Y-06 amounts that are none | `arguments::what_is_wrong_is_said_with_its_field_and_rule` |
//! | Y-07 subjects that Alipay does not take | `arguments::what_is_wrong_is_said_with_its_field_and_rule` |
//! | I-01 the same call twice | `placing::a_repeat_is_the_same_order`, `refunds::a_refund_is_made_once_however_often_it_is_asked_for` |
//! | I-02 one number, other contents | `placing::a_number_means_one_order`, `refunds::a_refunds_number_means_one_amount` |
//! | I-03 the first run was killed | `placing::a_trade_whose_answer_was_lost_is_created_once`, `refunds::a_refund_whose_answer_was_lost_is_recorded_by_a_repeat` |
//! | N-42 an order string in a stranger's hands | `placing::an_order_string_ends_with_its_order` |
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod arguments;
mod bench;
mod placing;
mod refunds;
mod results;
mod secrets;
mod standing;
