"""TWS or Gateway on a loopback socket, as far as its wire protocol is known."""

from .bare import Bare
from .faults import Fault, Spoil
from .ledger import Ledger, Listing
from .manners import Manners
from .server import TwsDouble

__all__ = ["Bare", "Fault", "Ledger", "Listing", "Manners", "Spoil", "TwsDouble"]
