//! security.msgSecCheck: asks Alipay whether a text may be published, on Lambda.

fn main() {}
