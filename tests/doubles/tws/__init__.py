"""TWS or Gateway on a loopback socket, as far as its wire protocol is known."""

from .faults import Fault, Spoil
from .ledger import Ledger, Listing
from .server import TwsDouble

__all__ = ["Fault", "Ledger", "Listing", "Spoil", "TwsDouble"]
