//! alipay-signing
