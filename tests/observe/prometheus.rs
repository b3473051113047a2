//! A real Prometheus scrapes a running daemon, and its rules fire in a staged outage.
