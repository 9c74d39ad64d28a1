"""Trains and tests models: environment, training, backtest, evaluation."""
