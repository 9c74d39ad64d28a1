"""Ending positions by a person's word: the emergency stop and Close."""
