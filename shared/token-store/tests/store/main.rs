//! The store against a real DynamoDB over HTTP: the embedded one, or the one named by
//! `TOKEN_STORE_TEST_ENDPOINT`.
//!
//! Which test stands for which row of the project's list of cases of tokens (T) and of keys (K):
//!
//! | row | the case | tests |
//! |---|---|---|
//! | T-01 | 1,000 readers of an expired token | `readers::a_thousand_readers_of_an_expired_token_in_twenty_processes_make_one_call` |
//! | T-02 | 1,000 readers of an ageing token | `readers::a_thousand_readers_two_minutes_before_the_end_get_the_old_token_and_make_one_call` |
//! | T-03 | schedule and reader at once | `readers::the_schedule_and_a_reader_at_once_make_one_call` |
//! | T-04 | 100 copies of one due message | `schedule::a_hundred_copies_of_one_message_make_one_call` |
//! | T-05 | a pair that arrives after a takeover | `refresh::a_pair_that_arrives_after_its_lease_was_taken_over_still_lands`, `doubt::a_late_pair_brings_a_grant_back_that_was_given_up` |
//! | T-06 | two refreshes that both succeed | `siblings::of_a_merchants_two_pairs_…`, `siblings::of_a_users_two_pairs_…`, `siblings::a_merchant_is_in_doubt_only_when_both_refresh_tokens_are_refused` |
//! | T-08 | clocks that differ | all of `clocks`, `refresh::a_lease_is_taken_over_only_after_it_ran_out_and_the_clocks_may_differ` |
//! | T-09 | no answer about the token | all of `back_off` |
//! | T-10 | a refresh token that is too old | `doubt::a_refresh_token_that_is_too_old_ends_the_grant_at_once` |
//! | T-11 | a newer refresh token is named | `siblings::a_newer_refresh_token_that_alipay_names_…`, `siblings::a_worker_killed_after_a_newer_refresh_token_was_named_leaves_it_to_the_next`, `siblings::with_too_little_time_for_a_second_call_…`, `siblings::a_gateway_that_names_newer_tokens_without_end_is_called_twice` |
//! | T-12 | expired, but still in the table | `login::an_expired_token_still_in_the_table_is_never_served` |
//! | T-13 | a frozen process | `readers::a_process_frozen_for_half_an_hour_does_not_serve_the_token_it_remembers` |
//! | T-14 | an access token refused at its use | `doubt::a_users_token_refused_at_its_use_…`, `doubt::every_caller_whose_token_is_refused_…`, `doubt::a_grant_doubted_at_its_use_is_settled_by_the_schedule`, `doubt::a_refused_token_with_a_newer_one_stored_is_replaced_by_it`, `doubt::a_token_refused_while_somebody_refreshes_it_is_not_doubted`, `merchants::a_merchants_token_refused_at_its_use_…`, `merchants::a_refused_token_…` |
//! | T-15 | a login during a refresh | `refresh::a_login_during_a_refresh_wins`, `doubt::a_login_during_the_confirming_call_is_not_ended_by_its_refusal`, `rescue::a_rescued_pair_never_replaces_a_login`, `login::a_login_that_saw_…` |
//! | T-16 | absurd lifetimes | `login::absurd_lifetimes_do_no_harm`, `back_off::a_pair_without_any_life_is_not_refreshed_in_a_circle` (what a reply says is judged by the gateway's crate) |
//! | T-17 | a reply without a refresh token | `refresh::a_reply_without_a_refresh_token_keeps_the_old_one` |
//! | T-18 | 7 s are left | `refresh::with_too_little_time_left_no_refresh_is_begun` |
//! | T-20 | a throttled commit | `faults::a_throttled_commit_is_tried_again_until_the_pair_is_stored`, all of `rescue` |
//! | T-21 | a throttled index | `rescue::an_index_that_takes_no_write_does_not_keep_a_pair_from_being_stored` |
//! | T-22 | no due time after a commit | `rescue::a_due_time_left_behind_is_put_right_by_the_next_sweep_without_a_gateway_call` |
//! | T-25 | another number of partitions | `schedule::the_number_of_partitions_changes_while_running_…`, `schedule::a_row_left_in_an_old_partition_is_moved_when_somebody_looks_at_it` |
//! | T-26 | every row is in the index in time | `schedule::no_row_that_a_refresh_could_gain_for_is_missing_from_the_index_whatever_happened_to_it` |
//! | T-27 | a lost reply to a write | `faults::a_lease_and_a_commit_whose_replies_were_lost_…`, `faults::a_login_whose_reply_was_lost_…`, `faults::a_login_that_looked_and_whose_reply_was_lost_…`, `faults::a_login_with_its_answer_…` |
//! | T-28 | consistent reads | `readers::whatever_is_decided_is_decided_by_a_consistent_read`; a hint decides nothing: `login::looking_asks_for_no_token_and_for_no_consistent_read` |
//! | T-29 | a refresh that gains little | `schedule::a_token_that_a_refresh_would_gain_little_for_is_left_to_its_end`, `schedule::a_row_whose_refresh_token_has_ended_leaves_the_index` |
//! | K-01 | values moved elsewhere | `sealing::a_value_moved_to_another_users_row_…`, `sealing::a_value_moved_to_another_apps_row_…`, `sealing::a_refresh_token_in_the_access_tokens_place_…`, `sealing::an_access_token_in_the_siblings_place_…`, `sealing::a_row_copied_to_another_table_…` |
//! | K-02 | an earlier generation | `sealing::an_earlier_generations_value_does_not_open_in_the_present_row`, `sealing::a_whole_row_put_back_to_an_earlier_generation_is_found_out_by_its_use` |
//! | K-03 | bits and tags | `sealing::a_value_with_a_bit_changed_or_its_tag_cut_does_not_open`; each bit and each length: `keyring::tests::a_value_with_any_bit_changed_or_any_byte_cut_does_not_open` |
//! | K-04 | borders between authenticated parts | `keyring::tests::parts_cannot_borrow_from_each_other` |
//! | K-05 | nonces | `keyring::tests::no_nonce_repeats` |
//! | K-06 | a key that is missing | `keys::a_row_whose_key_was_removed_is_named_as_such`, `keys::a_process_without_the_key_of_a_new_row_…` |
//! | K-07 | a row that does not open is not sent | `keys::without_the_key_of_a_refresh_token_nothing_is_sent_to_the_gateway`, `sealing::a_refresh_token_that_does_not_open_never_reaches_the_gateway`, `schedule::a_row_that_does_not_open_is_left_alone_for_a_day` |
//! | K-08 | a reader and refresh tokens | `keys::a_process_that_only_reads_…`, `keys::the_keys_for_access_tokens_do_not_open_refresh_tokens_…` |
//! | K-09 | rotation | `keys::after_a_rotation_of_both_keyrings_…`, `keys::the_keyrings_may_be_rotated_one_without_the_other` |
//!
//! T-07 and T-19 are in `tests/model` and `tests/crashes`.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod back_off;
mod claims;
mod clocks;
mod doubt;
mod faults;
mod gateway;
mod harness;
mod keys;
mod login;
mod logs;
mod merchants;
mod readers;
mod refresh;
mod rescue;
mod schedule;
mod sealing;
mod siblings;
