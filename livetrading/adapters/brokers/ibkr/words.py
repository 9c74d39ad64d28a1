"""The names of Interactive Brokers and its programs, for messages."""

from ..base import BrokerWords
from .account_setup import IbkrAccountSetup

WORDS = BrokerWords(
    "ibkr", "Interactive Brokers", "IB", "TWS", "TWS or IB Gateway", bars="ibkr", setup=IbkrAccountSetup()
)
