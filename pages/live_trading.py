"""Live Trading: watch the agents and control them."""

from livetrading.dashboard import sitemap
from livetrading.dashboard.components import board

sitemap.show(board.render)
