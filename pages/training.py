"""Training: train on a symbol, look at the honest test, deploy."""

from livetrading.dashboard.components import training

training.render()
