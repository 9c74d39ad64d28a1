"""What is on disk of agents and requests, and what is read from it. Nothing here trades."""
