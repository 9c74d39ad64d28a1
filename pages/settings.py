"""Settings: the connection to a broker, the limits of its account, and a test of the connection."""

from livetrading.dashboard import sitemap
from livetrading.dashboard.components.settings import settings_page

sitemap.show(settings_page.render)
