//! Amounts of money: yuan in texts, fen in between.

/// 100000000.00 yuan: the most that one trade may be about.
pub(crate) const MOST: u64 = 10_000_000_000;

/// The fen of a plain decimal of yuan with at most two decimals; `None` for every other text, and beyond 18 digits.
pub(crate) fn fen(text: &str) -> Option<u64> {
    let (whole, decimals) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, decimals)) => (whole, decimals),
        None => (text, ""),
    };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 16 || decimals.len() > 2 {
        return None;
    }
    if !is_number(whole) || !is_number(decimals) {
        return None;
    }
    format!("{whole}{decimals:0<2}").parse().ok()
}

/// `12.50`
pub(crate) fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

#[cfg(test)]
mod tests {
    use super::{fen, yuan};

    #[test]
    fn amounts_are_plain_decimals_of_at_most_two_places() {
        for (text, amount) in [
            ("0.01", Some(1)),
            ("12.5", Some(1250)),
            ("12.50", Some(1250)),
            ("100000000", Some(10_000_000_000)),
            ("0.001", None),
            ("1.", None),
            (".5", None),
            ("-1", None),
            ("+1", None),
            ("1e2", None),
            (" 1", None),
            ("１", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(fen(text), amount, "{text}");
        }
        assert_eq!([yuan(5), yuan(1250)], ["0.05", "12.50"]);
    }
}
