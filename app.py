"""The dashboard, and the REST routes beside it: ``streamlit run app.py``."""

import sys

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from livetrading.adapters import logs, settings
from livetrading.core.errors import LivetradingError
from livetrading.dashboard import api, reading, security, warmup

try:
    chosen = settings.load(reading.home())
    hosts = chosen.allowed_hosts
    for address in (chosen.address, st.get_option("server.address")):
        settings.check_address(address)
    logs.setup(reading.home(), "dashboard")
    security.token(reading.home())
    logs.setup(reading.home(), "dashboard")
except LivetradingError as error:
    sys.exit(str(error))

warmup.start()
app = st.App(
    "livetrading/dashboard/main.py",
    routes=api.routes(reading.home(), hosts),
    # Streamlit's own check of the Host covers its web socket, not these routes.
    middleware=[
        Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)),
        Middleware(security.OwnPages, hosts=hosts),
        Middleware(security.SafeHeaders),
    ],
)
