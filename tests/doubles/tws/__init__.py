"""TWS or Gateway on a loopback socket, as far as its wire protocol is known."""

from .bare import Bare
from .faults import Fault
from .manners import Manners
from .ledger import Ledger, Listing
from .server import TwsDouble

__all__ = ["Bare", "Fault", "Ledger", "Listing", "Manners", "TwsDouble"]
