"""A broker behind an HTTP bridge: its requests, and the check of its answers."""
