"""Object storage: addresses as paths, what a store is asked for, claims by conditional puts, and local copies of videos."""
