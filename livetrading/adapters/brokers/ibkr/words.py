"""What people call Interactive Brokers and its programs."""

from ..base import BrokerWords
from .account_setup import IbkrAccountSetup

WORDS = BrokerWords(
    "ibkr", "Interactive Brokers", "IB", "TWS", "TWS or IB Gateway", bars="ibkr", setup=IbkrAccountSetup()
)
