//! One scenario table, run by every driver.
