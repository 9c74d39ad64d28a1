"""What every page has: style, navigation, emergency stop, state of the scheduler, dialogs."""

import streamlit as st

from livetrading.dashboard import sitemap, style
from livetrading.dashboard.components import dialog_table
from livetrading.dashboard.components.shell import frame
from livetrading.dashboard.components.shell.guard import guarded

st.set_page_config(page_title="Livetrading", page_icon="📈", layout="wide")
st.html(style.CSS)
page = st.navigation([sitemap.live(), sitemap.training(), sitemap.settings()], position="top")

with guarded():
    frame.render()
with guarded():
    sitemap.draw(page)
with guarded():
    dialog_table.render()
