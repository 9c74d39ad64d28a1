"""A broker written against ``adapters/brokers/base.py`` and ``connection.py`` alone, and the tests that it must pass."""
