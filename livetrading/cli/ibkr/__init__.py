"""The commands of one broker: checks of its connection, proofs of what is assumed of it, its statements."""
