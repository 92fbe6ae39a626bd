//! Which protocol is checked, against which gateway.

/// The protocol as it is, and wrong ones that look reasonable. Each wrong one differs in one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// What `TokenStore` documents.
    Recommended,
    /// A commit asks for nothing.
    NaiveWrite,
    /// A commit asks for the own lease, still running, instead of for the lineage.
    LeaseFencedWrite,
    /// A commit asks for the lineage and for the state `active`.
    CommitFromActiveOnly,
    /// The first refusal of the refresh token is believed.
    NoQuarantine,
    /// The quarantine may end while a caller from before it still runs, or a pair waits for rescue.
    ShortQuarantine,
    /// A refusal after the quarantine is believed, though the lease was taken over from somebody who
    /// never told how the attempt before it ended.
    TakeoverConfirms,
    /// `reauthorize` asks for the lineage, but not for the own lease.
    ConfirmWithoutLease,
    /// `reauthorize` is written without asking whether the row is still the one that was refused.
    UnconditionalReauthorize,
    /// A lease is taken though another runs.
    NoLease,
    /// A lease is given back without asking whose it is.
    BlindRelease,
    /// A call without an answer counts as a refusal.
    SilenceIsRefusal,
    /// A pair that cannot be committed is dropped.
    NoRescue,
    /// A login keeps the grant id of the row it replaces, or of the one that was removed.
    LoginKeepsGrantId,
    /// A login that saw a row is stored as the generation after it, whatever is there by then.
    LoginTrustsWhatItSaw,
    /// Of two refreshes that both succeeded the one stored second is dropped.
    NoSibling,
    /// As `NoSibling`, but for users' tokens alone.
    SiblingForMerchantsOnly,
}

/// Alipay's rules for a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is dead at once, and the pair it came with.
    User,
    /// As `User`, but a refusal may name the refresh token that took its place
    /// (`isv.refreshed-token-invalid`).
    UserToldTheNextToken,
    /// It works for a grace. When that ends, the gateway keeps one of the newest pairs.
    Merchant,
}
