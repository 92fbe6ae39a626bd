//! A table of a million rows is swept and refreshed minute by minute, in simulated time, and what that takes is printed:
//!
//! ```text
//! cargo run --release -p token-store --example sweep-a-million [rows] [refreshes a second] [hours of outage] [hours in all]
//! ```
//!
//! All logins happened in the same minute. Everything is as in production but for three things: the DynamoDB is an embedded one
//! and is reached without HTTP, the gateway's 5 to 20 ms pass by the simulated clock, and the queue is left out. The tests of this
//! file are a small one.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a measurement, not a part of the product"
)]

mod simulation;
mod table;

use simulation::{Setting, Simulation};

/// Two weeks: all rows are refreshed long before.
const WHOLE: u64 = 14 * 24;

fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .map(|text| text.parse::<u64>().expect("a number"));
    let setting = Setting {
        rows: numbers.next().unwrap_or(1_000_000),
        rate: numbers.next().unwrap_or(50),
        outage_hours: numbers.next().unwrap_or(0),
        hours: numbers.next().unwrap_or(WHOLE),
        every: 1,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let simulation = Simulation::filled(setting).await;
        simulation.measure_sweeps().await;
        let report = simulation.run().await;
        println!("{report}");
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T-24.
    #[tokio::test]
    async fn logins_of_one_minute_are_refreshed_over_a_day_and_a_half() {
        const ROWS: u64 = 1000;
        const EVERY: u64 = 30;
        let simulation = Simulation::filled(Setting {
            rows: ROWS,
            rate: 50,
            outage_hours: 0,
            hours: WHOLE,
            every: EVERY,
        })
        .await;
        let report = simulation.run().await;
        let hours: Vec<u64> = report
            .due_by_hour
            .iter()
            .copied()
            .filter(|&due| due > 0)
            .collect();
        let mean = ROWS / 36;
        assert!((36..=37).contains(&hours.len()), "{hours:?}");
        assert!(
            report.due_by_hour.iter().all(|&due| due < mean * 2),
            "{hours:?}"
        );
        assert!(report.most_due_in_a_minute < 12, "{report}");
        // A row waits for the next sweep, never for a place.
        assert!(
            report
                .lateness
                .iter()
                .all(|late| late.as_secs() <= EVERY * 60 + 30),
            "{report}"
        );
        assert_eq!(report.refreshed, ROWS);
    }

    /// T-23.
    #[tokio::test]
    async fn what_fell_due_in_an_outage_of_six_hours_is_refreshed_oldest_first_and_long_before_its_end()
     {
        const ROWS: u64 = 2000;
        let simulation = Simulation::filled(Setting {
            rows: ROWS,
            rate: 1,
            outage_hours: 6,
            hours: WHOLE,
            every: 5,
        })
        .await;
        let report = simulation.run().await;
        assert_eq!(report.refreshed, ROWS);
        assert!(report.oldest_first);
        let backlog = ROWS * 6 / 36;
        assert!(
            (backlog - 60..backlog + 60).contains(&report.most_waiting),
            "{report}"
        );
        assert!(report.most_calls_in_a_second <= 1, "{report}");
        let latest = report.lateness.iter().max().unwrap();
        assert!(latest.as_secs() < 7 * 3600, "{report}");
        assert!(report.least_life_left.as_secs() > 28 * 3600, "{report}");
    }
}
