"""A broker account that several agents share: its connection, whose shares are whose, its cash and its limits."""
