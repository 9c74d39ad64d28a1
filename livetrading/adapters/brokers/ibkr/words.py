"""What people call Interactive Brokers and its programs."""

from ..base import BrokerWords

WORDS = BrokerWords("ibkr", "Interactive Brokers", "IB", "TWS", "TWS or IB Gateway")
