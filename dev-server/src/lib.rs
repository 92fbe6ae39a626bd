//! dev-server
