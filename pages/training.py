"""Training: train on a symbol, look at the honest test, deploy."""

from livetrading.dashboard import sitemap
from livetrading.dashboard.components import training

sitemap.show(training.render)
