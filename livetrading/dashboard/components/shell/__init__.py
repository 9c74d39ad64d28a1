"""What stands around every page: frame, emergency stop, the state of dialogs, refreshing, bulkheads."""
