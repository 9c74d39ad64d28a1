"""One agent's orders at one broker: sending, cancelling, the protective stop, and what the broker reports of them."""
