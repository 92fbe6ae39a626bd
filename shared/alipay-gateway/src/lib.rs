//! alipay-gateway
