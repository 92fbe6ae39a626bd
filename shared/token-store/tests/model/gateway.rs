//! The gateway: which refresh tokens work.

use std::collections::BTreeSet;

use crate::variant::Kind;

/// An access token and its refresh token. In the model one name stands for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The login it goes back to; counts up.
    pub grant: u8,
    /// Counts the pairs of a grant in the order of issue.
    pub number: u8,
    /// The number of the pair whose refresh token was spent for it; 0 for a login.
    pub from: u8,
}

impl Pair {
    pub const fn of_login(grant: u8) -> Self {
        Self {
            grant,
            number: 1,
            from: 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gateway {
    /// The pairs whose refresh token works.
    usable: BTreeSet<Pair>,
    /// Usable pairs that reached nobody (a lost reply) or somebody who died: nobody is to blame.
    out_of_reach: BTreeSet<Pair>,
    /// How many pairs each grant has had.
    issued: Vec<u8>,
}

impl Gateway {
    pub fn after_first_login() -> Self {
        let mut gateway = Self {
            usable: BTreeSet::new(),
            out_of_reach: BTreeSet::new(),
            issued: Vec::new(),
        };
        gateway.log_in();
        gateway
    }

    pub fn works(&self, token: Pair) -> bool {
        self.usable.contains(&token)
    }

    pub fn logins(&self) -> usize {
        self.issued.len()
    }

    /// How many refreshes it has carried out.
    pub fn refreshes(&self) -> u8 {
        self.issued.iter().map(|pairs| pairs - 1).sum()
    }

    pub fn log_in(&mut self) -> Pair {
        let pair = Pair::of_login(self.issued.len() as u8 + 1);
        self.issued.push(1);
        self.usable.insert(pair);
        pair
    }

    /// Whether Alipay withdraws older grants at a login is not documented: the model does both.
    pub fn withdraw(&mut self, grant: u8) {
        self.forget(|pair| pair.grant == grant);
    }

    /// A refresh with a token that works.
    pub fn refresh(&mut self, token: Pair, kind: Kind) -> Pair {
        let issued = &mut self.issued[usize::from(token.grant) - 1];
        *issued += 1;
        let pair = Pair {
            grant: token.grant,
            number: *issued,
            from: token.number,
        };
        if kind != Kind::Merchant {
            self.forget(|old| *old == token);
        }
        self.usable.insert(pair);
        pair
    }

    /// The refresh token that took the place of one that no longer works, if the grant lives.
    pub fn successor(&self, token: Pair) -> Option<Pair> {
        self.usable(token.grant).next()
    }

    /// The pairs of `grant` of which one outlives the grace; empty if no token was used in it.
    pub fn newest(&self, grant: u8) -> Vec<Pair> {
        let spent = |pair: &Pair| self.usable(grant).any(|other| other.from == pair.number);
        if self.usable(grant).any(|pair| spent(&pair)) {
            self.usable(grant).filter(|pair| !spent(pair)).collect()
        } else {
            Vec::new()
        }
    }

    pub fn end_grace(&mut self, kept: Pair) {
        self.forget(|pair| pair.grant == kept.grant && *pair != kept);
    }

    /// Nobody has `pair` any more, by a lost reply or a crash.
    pub fn put_out_of_reach(&mut self, pair: Pair) {
        if self.works(pair) {
            self.out_of_reach.insert(pair);
        }
    }

    /// The pairs of `grant` that work.
    pub fn usable(&self, grant: u8) -> impl Iterator<Item = Pair> {
        self.usable
            .iter()
            .copied()
            .filter(move |pair| pair.grant == grant)
    }

    /// Those of them that somebody should have.
    pub fn owed(&self, grant: u8) -> impl Iterator<Item = Pair> {
        self.usable(grant)
            .filter(|pair| !self.out_of_reach.contains(pair))
    }

    fn forget(&mut self, dead: impl Fn(&Pair) -> bool) {
        self.usable.retain(|pair| !dead(pair));
        self.out_of_reach.retain(|pair| !dead(pair));
    }
}
