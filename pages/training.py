"""Training: train on a symbol, look at the honest test, deploy."""

from livetrading.dashboard import sitemap
from livetrading.dashboard.components.training import training_page

sitemap.show(training_page.render)
