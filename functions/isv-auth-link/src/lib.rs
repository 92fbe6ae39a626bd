//! isv.getAuthLink: the link by which a merchant authorises an ISV's app.
