//! security.imgSecCheck: asks Alipay whether an image may be published, on Lambda.

fn main() {}
