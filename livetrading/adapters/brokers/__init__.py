"""Brokers: what each must offer (``base``, ``connection``), the registry, and a folder or file for each broker."""
