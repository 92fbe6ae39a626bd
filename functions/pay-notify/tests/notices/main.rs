//! The function over the simulated gateway, an embedded table and an embedded event bus, each behind a proxy.
//!
//! | case of the project's list | test |
//! |---|---|
//! | N01, N05, N21, N22, N24, N26 genuine, whatever is in their texts | `vectors::every_outside_vector_ends_as_it_says` |
//! | N02 messages, whose signed text has `sign_type` | `vectors::every_outside_vector_ends_as_it_says`, `vectors::notices_that_alipay_has_really_sent_are_genuine` |
//! | N03, N06, N07 changed, unsigned, other algorithms | `forged::what_alipay_did_not_sign_for_the_app_is_refused_before_anything_is_read` |
//! | N04 a name twice | `vectors::every_outside_vector_ends_as_it_says`, `forged::…` |
//! | N05b a status inside another text | `trades::a_status_that_is_no_payment_changes_nothing` |
//! | N05c fields cut out of another | `trades::what_a_notice_says_is_only_a_reason_to_ask`, `vectors::…` |
//! | N09, N-38 of another app or seller | `trades::a_genuine_notice_that_does_not_fit_is_an_alarm` |
//! | N10, N-39 unknown order | `trades::a_genuine_notice_that_does_not_fit_is_an_alarm` |
//! | N11 amounts | `trades::only_the_amount_of_the_order_in_plain_decimals_is_paid` |
//! | N12 statuses; a refund is no payment | `trades::a_status_that_is_no_payment_changes_nothing`, `refunds::a_refund_is_recorded_and_pays_nothing` |
//! | N20, N27 to N29 no strict form | `forged::what_alipay_did_not_sign_for_the_app_is_refused_before_anything_is_read` |
//! | N23 empty values | `trades::empty_values_may_be_signed_or_not` |
//! | N-30 repeats, in a row and at once | `trades::however_often_a_notice_comes_an_order_is_paid_once` |
//! | N-31 two notices of one payment | `trades::two_notices_of_one_payment_are_one_payment` |
//! | N-32 order of arrival | `trades::a_late_notice_takes_nothing_back` |
//! | N-33 table, gateway or bus down | `crashes::what_is_down_is_asked_for_again` |
//! | N-34 crashes | `crashes::wherever_a_process_ends_the_payment_is_told_of_once`, `crashes::a_lost_reply_loses_nothing` |
//! | N-35 other methods, a query | `forged::only_the_body_of_a_post_counts` |
//! | N-36 base64 | `trades::a_body_in_base64_is_decoded_first` |
//! | N-37 parameters of a return page | `forged::the_signed_parameters_of_a_return_page_are_no_notice` |
//! | N-40 the answer is 7 or 4 bytes | `bench::Bench::handle`, for every answer of every test |
//! | N-41 the cost of a forgery | `forged::a_forgery_costs_little_and_reads_nothing` |
//! | N-42 a stranger pays | `trades::who_paid_is_told_and_whether_it_is_who_was_expected` |
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod bench;
mod crashes;
mod forged;
mod logs;
mod messages;
mod refunds;
mod resigning;
mod trades;
mod vectors;
