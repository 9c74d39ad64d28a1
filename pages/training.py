"""Training: train on a symbol, see the test on bars that the model has not seen, deploy."""

from livetrading.dashboard import sitemap
from livetrading.dashboard.components.training import training_page

sitemap.show(training_page.render)
