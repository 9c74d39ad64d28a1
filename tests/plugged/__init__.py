"""A broker written against ``adapters/brokers/base.py`` and ``connection.py`` alone, and what it must live through."""
