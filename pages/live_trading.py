"""Live Trading: watch the agents and control them."""

from livetrading.dashboard import sitemap
from livetrading.dashboard.components.agents import board

sitemap.show(board.render)
