//! Places at which a test lets a worker die. In what is deployed there are none.
//!
//! | Point | What is done by then |
//! |---|---|
//! | `before-acquire` | the row is read, nothing is written |
//! | `after-acquire` | the lease is taken |
//! | `after-call` | the gateway has answered |
//! | `after-sibling` | the newer refresh token that a refusal named is saved |
//! | `before-commit` | the new pair is sealed |
//! | `after-commit` | it is stored, the index has the old time |
//! | `after-superseded` | another pair was stored first, ours is nowhere |
//! | `after-due` | everything; only the answer is missing |
//! | `before-rescue` | the table refused the pair |
//! | `after-rescue` | it is in the rescue queue |
//! | `after-rescued-commit` | it is stored out of the rescue queue, the index has the old time |
//! | `before-login` | the pair of a login is at hand, nothing is written |
//! | `after-login` | it is stored |

/// Where the test says so (`return`), the caller never goes on: to everybody else that is a process killed at this point.
/// Whoever polls the caller can also stop here, since it yields once.
#[cfg(feature = "failpoints")]
pub(crate) async fn crash_point(name: &str) {
    if fail::eval(name, |_| ()).is_some() {
        std::future::pending::<()>().await;
    }
    tokio::task::yield_now().await;
}

#[cfg(not(feature = "failpoints"))]
pub(crate) async fn crash_point(_: &str) {}
