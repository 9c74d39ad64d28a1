"""The Settings page and the test of a connection."""
