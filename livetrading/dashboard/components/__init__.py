"""The parts of the pages: each shows one thing; only buttons change something."""
