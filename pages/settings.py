"""Settings: where Interactive Brokers listens, what may be traded there, and a test of it."""

from livetrading.dashboard import sitemap
from livetrading.dashboard.components.settings import settings_page

sitemap.show(settings_page.render)
