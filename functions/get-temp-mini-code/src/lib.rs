//! acode.getTempMiniCode: makes a code that opens a page of the mini-program for a limited time.
