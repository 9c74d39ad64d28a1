"""One external thing in each file: disk, calendar, models, bar sources, brokers."""
