//! urlscheme.generate, urllink.generate: a link that opens a page of the mini-program, on Lambda.

fn main() {}
