"""Train reinforcement-learning agents on daily bars and trade them end-of-day."""

__version__ = "1.0.0"
