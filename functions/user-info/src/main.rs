//! user.getUserInfo: the profile of a user who granted auth_user, on Lambda.

fn main() {}
