//! The function over embedded DynamoDB, with the simulator as Alipay: its gateway, and the page that users are sent to.
//!
//! | attack of the project's list of cases | test |
//! |---|---|
//! | O-01 state absent, wrong, used, expired, of another browser | `callbacks::whatever_is_wrong_with_a_state_is_one_answer` |
//! | O-02 state of one app, callback for another | `callbacks::a_login_of_one_app_does_not_end_as_one_of_another` |
//! | O-03 addresses that only look like the right one | `links::no_login_begins_for_an_address_that_is_not_on_the_list` |
//! | O-04 `redirect_uri` in the request | `links::alipay_sends_back_to_the_issuer_whatever_the_request_says` |
//! | O-05 texts that are no code | `callbacks::what_cannot_be_a_code_never_reaches_the_gateway` |
//! | O-06 one code twice at once | `callbacks::of_one_code_in_two_browsers_at_once_comes_one_login`, `callbacks::of_one_callback_twice_at_once_comes_one_login` |
//! | O-07 no answer to the exchange | `callbacks::an_exchange_without_an_answer_is_not_repeated` |
//! | O-08 code of another app | `callbacks::a_code_of_another_app_looks_like_a_used_one_and_is_logged` |
//! | O-09 state in parts | `callbacks::whatever_is_wrong_with_a_state_is_one_answer` |
//! | O-10 `error` in the callback | `callbacks::nothing_of_a_query_is_in_an_answer` |
//! | O-11 link previews | `callbacks::who_has_not_the_cookie_spends_neither_state_nor_code` |
//! | O-12 somebody else's code | `callbacks::somebody_elses_link_logs_nobody_in` |
//! | O-13 less granted than asked | `logins::a_smaller_grant_is_a_login_and_no_profile` |
//! | O-14 one app's open id under another | function-logins, `accounts::an_open_id_of_one_app_means_nobody_in_another` |
//! | O-15 ids swapped | function-logins, `accounts::an_open_id_in_the_place_of_a_user_id_makes_no_account` |
//! | O-16 tokens of Alipay's in answers and log | `secrets::no_code_state_cookie_ticket_or_token_is_in_the_log` |
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod bench;
mod callbacks;
mod links;
mod logins;
mod secrets;
mod tickets;
