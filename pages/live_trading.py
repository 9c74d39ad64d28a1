"""Live Trading: watch the agents and control them."""

from livetrading.dashboard.components import board

board.render()
