"""Colours, and the style sheet for what Streamlit has no widget for."""

UP = "#26A69A"
DOWN = "#EF5350"
WARN = "#F5A524"
ACCENT = "#79B0FF"
TEXT = "#E6EDF3"
MUTED = "#8B98A5"
LINE = "#263241"
PANEL = "#11171F"

CSS = f"""
<style>
.stApp {{ font-variant-numeric: tabular-nums; }}
[data-testid="stLayoutWrapper"]:has(> .st-key-frame) {{
  position: sticky; top: 3.4rem; z-index: 90; background: #0B0F14;
  padding: .35rem 0 .5rem; border-bottom: 1px solid {LINE};
}}
[data-testid="stLayoutWrapper"]:has(> [data-testid="stVerticalBlock"]:empty) {{ display: none; }}
.st-key-emergency_open button {{
  background: #D92D3A; border: 1px solid #FF6B76; color: #fff; font-weight: 700;
  letter-spacing: .04em; white-space: nowrap;
}}
.st-key-emergency_open button p {{ font-weight: 700; }}
.st-key-emergency_open button:hover {{ background: #F0404D; border-color: #fff; color: #fff; }}
[data-testid="stToastContainer"] {{ top: auto !important; bottom: 1rem !important; }}
[class*="st-key-danger_"] button {{ background: #B4232F; border: 1px solid #EF5350; color: #fff; }}
[class*="st-key-danger_"] button:hover {{ background: #D92D3A; border-color: #fff; color: #fff; }}
[class*="st-key-danger_"] button:disabled {{ background: #3A2226; border-color: #5A2E33; color: {MUTED}; }}

.lt-row {{ display: flex; flex-wrap: wrap; align-items: center; gap: .35rem .6rem; }}
.lt-pill {{
  display: inline-flex; align-items: center; gap: .4rem; padding: .12rem .6rem;
  border-radius: 999px; border: 1px solid {LINE}; background: {PANEL};
  font-size: .84rem; white-space: nowrap; color: {TEXT};
}}
.lt-dot {{ width: .55rem; height: .55rem; border-radius: 50%; background: currentColor; }}
.lt-tag {{
  padding: .08rem .5rem; border-radius: 6px; font-size: .74rem; font-weight: 600;
  letter-spacing: .05em; white-space: nowrap;
}}
.lt-up {{ color: {UP}; }} .lt-down {{ color: {DOWN}; }} .lt-warn {{ color: {WARN}; }}
.lt-muted {{ color: {MUTED}; }} .lt-accent {{ color: {ACCENT}; }}
.lt-tag.lt-up {{ background: #26a69a26; }} .lt-tag.lt-down {{ background: #ef535026; }}
.lt-tag.lt-warn {{ background: #f5a52426; }} .lt-tag.lt-accent {{ background: #79b0ff22; }}
.lt-tag.lt-muted {{ background: #8b98a522; }}

.lt-kpis {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .6rem; }}
.lt-group + .lt-group {{ margin-top: .75rem; }}
.lt-group .lt-row {{ margin-bottom: .35rem; }}
.lt-kpi {{ border: 1px solid {LINE}; border-radius: 10px; background: {PANEL}; padding: .6rem .85rem; }}
.lt-kpi .l, .lt-fact .l {{ color: {MUTED}; font-size: .8rem; white-space: nowrap; }}
.lt-kpi .v {{ font-size: clamp(1.1rem, 1.75vw, 1.55rem); font-weight: 600; line-height: 1.35; white-space: nowrap; }}
.lt-kpi .s, .lt-fact .s {{ color: {MUTED}; font-size: .8rem; }}
.lt-kpi .s.lt-up, .lt-fact .s.lt-up {{ color: {UP}; }}
.lt-kpi .s.lt-down, .lt-fact .s.lt-down {{ color: {DOWN}; }}

.lt-head {{ display: flex; flex-wrap: wrap; align-items: baseline; gap: .3rem .7rem; }}
.lt-head .name {{ font-size: 1.15rem; font-weight: 650; }}
.lt-head .pnl {{ margin-left: auto; font-size: 1.25rem; font-weight: 650; white-space: nowrap; }}
.lt-facts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: .55rem .9rem; }}
.lt-facts.lt-wide {{ grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); }}
.lt-head h1 {{ font-size: 1.6rem; font-weight: 700; margin: 0; padding: 0; line-height: 1.3; }}
.lt-fact {{ min-width: 0; overflow-wrap: anywhere; }}
.lt-fact .v {{ font-size: 1.02rem; font-weight: 600; }}
.lt-note {{ border-left: 3px solid {WARN}; background: #f5a52414; padding: .3rem .65rem; border-radius: 0 6px 6px 0;
  font-size: .88rem; margin-top: .4rem; }}
.lt-halt {{ border: 1px solid {DOWN}; background: #ef53501f; border-radius: 10px; padding: .6rem .9rem; }}
.lt-halt b {{ color: #FF8A87; letter-spacing: .03em; }}
.lt-empty {{ border: 1px dashed {LINE}; border-radius: 12px; padding: 3rem 1rem; text-align: center;
  color: {MUTED}; font-size: 1.05rem; }}
.lt-table {{ width: 100%; border-collapse: collapse; font-size: .92rem; }}
.lt-table th {{ color: {MUTED}; font-weight: 500; text-align: right; padding: .3rem .6rem;
  border-bottom: 1px solid {LINE}; white-space: nowrap; }}
.lt-table td {{ text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #1B2430; white-space: nowrap; }}
.lt-table th:first-child, .lt-table td:first-child {{ text-align: left; }}
.lt-table td.wide {{ white-space: normal; text-align: left; }}
.lt-scroll + .lt-facts, .lt-note + .lt-facts {{ margin-top: .8rem; }}
.lt-months {{ table-layout: fixed; }}
.lt-months th, .lt-months td {{ padding: .3rem .25rem; }}
.lt-tight {{ font-size: .82rem; }}
.lt-tight th, .lt-tight td {{ padding: .25rem .3rem; }}
.lt-key {{ display: inline-flex; align-items: center; gap: .35rem; font-size: .82rem; color: {MUTED}; white-space: nowrap; }}
.lt-scroll {{ overflow-x: auto; }}
@media (max-width: 640px) {{
  .lt-kpis {{ grid-template-columns: repeat(2, minmax(0, 1fr)); }}
  .lt-facts {{ grid-template-columns: repeat(2, minmax(0, 1fr)); }}
  .lt-head .pnl {{ margin-left: 0; width: 100%; }}
  .lt-stacks thead {{ display: none; }}
  .lt-stacks tr {{ display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); padding: .4rem 0; border-bottom: 1px solid {LINE}; }}
  .lt-stacks td {{ border: 0; text-align: left; white-space: normal; overflow-wrap: anywhere; padding: .15rem .3rem; }}
  .lt-stacks td:first-child {{ font-weight: 600; }}
  .lt-tight th, .lt-tight td, .lt-snug th, .lt-snug td {{ padding: .25rem .12rem; }}
  .lt-snug {{ font-size: .82rem; }}
  .lt-many tr {{ grid-template-columns: repeat(3, minmax(0, 1fr)); }}
  .lt-many td:first-child {{ grid-column: 1 / -1; }}
  .lt-many td:first-child::before {{ display: none; }}
  .lt-stacks td:empty {{ display: none; }}
  .lt-stacks td.wide {{ grid-column: 1 / -1; }}
  .lt-stacks td::before {{ content: attr(data-label); display: block; color: {MUTED}; font-size: .8rem; }}
}}
</style>
"""
