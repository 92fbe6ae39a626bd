//! The login document and the tokens of an issuer, through the public interface. Tokens are forged here with aws-lc directly, so that what
//! makes and reads them in the library is not asked about itself.
//!
//! | attack of the project's list of cases | test |
//! |---|---|
//! | J-01 no algorithm, J-02 HS256 with our public key | `forged::no_other_algorithm_is_taken` |
//! | J-03 keys in the header, J-04 `crit`, `b64`, `zip` | `forged::a_header_says_nothing_but_algorithm_type_and_key` |
//! | J-05 one kind of token for another | `forged::a_token_of_one_kind_is_none_of_another` |
//! | J-06 audiences | `claims::only_exactly_our_audience_is_ours` |
//! | J-07 issuers | `claims::only_exactly_our_issuer_is_ours` |
//! | J-08 times of other forms | `claims::times_are_whole_numbers_of_seconds_in_range` |
//! | J-09 leeway | `claims::clocks_may_differ_by_less_than_a_minute` |
//! | J-10 names that stand twice | `forged::a_name_that_stands_twice_is_refused_in_header_and_claims` |
//! | J-11 long and misspelled tokens | `forged::a_token_has_one_spelling`, `forged::a_long_token_is_refused_before_anything_is_computed` |
//! | J-12, J-13 names of keys | `forged::a_name_of_a_key_is_looked_up_nowhere` |
//! | J-14 a rotation | `rotation::a_token_signed_just_before_a_rotation_is_valid_until_its_end` |
//! | J-15 two rotations at once | dev-server, `login_keys` |
//! | J-16 outside vectors | `src/wycheproof.rs` |
//! | J-17 `nonce` | `issuing::an_id_token_says_what_it_was_given` |
//! | J-18 a session that is over | sessions do not ask id_tokens: `forged::a_token_of_one_kind_is_none_of_another`, tests of `sessions` |
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

mod claims;
mod document;
mod forge;
mod forged;
mod issuing;
mod published;
mod request_encryption;
mod rotation;
