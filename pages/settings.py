"""Settings: where Interactive Brokers listens, what may be traded there, and a test of it."""

from livetrading.dashboard.components import settings_page

settings_page.render()
