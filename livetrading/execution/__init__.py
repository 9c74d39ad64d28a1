"""The imperative shell around the rules: trades, records, recovers."""
