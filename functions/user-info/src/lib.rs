//! user.getUserInfo: the profile of a user who granted auth_user.
