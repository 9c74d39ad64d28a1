"""The parts of the pages: each renders one thing and changes nothing by itself."""
