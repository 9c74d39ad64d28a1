"""One foreign thing per file: disk, calendar, models, bar sources, brokers."""
