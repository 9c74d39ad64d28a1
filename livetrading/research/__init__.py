"""Learns and judges: environment, training, backtest, evaluation."""
