"""Ending positions at the user's request: the emergency stop and Close."""
