"""Live Trading: the board, one agent, its chart, and the dialogs that ask before an agent is changed."""
