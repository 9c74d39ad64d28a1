"""Interactive Brokers: everything that speaks to TWS or Gateway, or knows its numbers, codes and gates."""
