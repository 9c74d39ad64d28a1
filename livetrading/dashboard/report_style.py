"""The style of a report's file: readable in dark, in light and on paper, without anything from elsewhere."""

from . import style

COLOURS = {
    style.ACCENT: "#3B82F6",
    style.WARN: "#D98A0B",
    style.MUTED: "#7D8A97",
    "#C792EA": "#A463D6",
    "rgba(121,176,255,.16)": "rgba(59,130,246,.14)",
}
"""Colours of the page's figures and those that a white ground needs, too."""

CSS = """
:root { color-scheme: light dark; --ground: #FFFFFF; --panel: #F5F7FA; --text: #16202B; --muted: #5B6875; --line: #D5DCE4;
  --up: #0B7A6F; --down: #C62F2C; --warn: #935C00; --accent: #1D5FC4; }
@media (prefers-color-scheme: dark) { :root { --ground: #0B0F14; --panel: #11171F; --text: #E6EDF3; --muted: #9AA7B4;
  --line: #263241; --up: #26A69A; --down: #F0706D; --warn: #F5A524; --accent: #79B0FF; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 1.2rem; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, "Source Sans 3", sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0; line-height: 1.25; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
p { margin: .5rem 0; max-width: 75ch; }
.sub, .lt-muted { color: var(--muted); }
.lt-up { color: var(--up); } .lt-down { color: var(--down); } .lt-warn { color: var(--warn); } .lt-accent { color: var(--accent); }
.words { font-size: 1.05rem; }
.note, .lt-note { border-left: 3px solid var(--warn); background: var(--panel); padding: .35rem .7rem; margin: .6rem 0; }
.lt-facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: .6rem 1rem; margin: .8rem 0; }
.lt-fact { min-width: 0; } .lt-fact .l, .lt-fact .s { color: var(--muted); font-size: .85rem; }
.lt-fact .v { font-size: 1.1rem; font-weight: 600; }
.lt-scroll { overflow-x: auto; }
.lt-table { width: 100%; border-collapse: collapse; font-size: .92rem; margin: .4rem 0; }
.lt-table th { color: var(--muted); font-weight: 500; white-space: nowrap; }
.lt-table th, .lt-table td { text-align: right; padding: .3rem .5rem; border-bottom: 1px solid var(--line); }
.lt-table td { white-space: nowrap; }
.lt-table th:first-child, .lt-table td:first-child, .lt-table td.wide { text-align: left; }
.lt-table td.wide { white-space: normal; }
.lt-months { font-size: .85rem; table-layout: fixed; } .lt-months th, .lt-months td { padding: .3rem .28rem; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(430px, 100%), 1fr)); gap: 0 2rem; }
.two > * { min-width: 0; }
.chart { min-width: 0; overflow: hidden; }
summary { cursor: pointer; }
.js-plotly-plot .xtick text, .js-plotly-plot .ytick text, .js-plotly-plot .y2tick text, .js-plotly-plot .legendtext,
.js-plotly-plot .xtitle, .js-plotly-plot .ytitle, .js-plotly-plot .y2title { fill: var(--muted) !important; }
.js-plotly-plot .gridlayer path { stroke: var(--line) !important; }
.js-plotly-plot .xaxislayer-above path, .js-plotly-plot .xlines-above, .js-plotly-plot .ylines-above { stroke: var(--line) !important; }
@media (max-width: 640px) {
  body { padding: .8rem; }
  .lt-facts { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .lt-table { font-size: .84rem; } .lt-table th, .lt-table td { padding: .28rem .2rem; }
  .lt-snug td:first-child, .lt-snug th:first-child { white-space: normal; }
  .lt-stacks thead { display: none; }
  .lt-stacks tr { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); padding: .4rem 0; border-bottom: 1px solid var(--line); }
  .lt-stacks td { border: 0; text-align: left; white-space: normal; }
  .lt-stacks td:first-child { font-weight: 600; }
  .lt-stacks td::before { content: attr(data-label); display: block; color: var(--muted); font-size: .8rem; font-weight: 400; }
  .lt-stacks td:empty { display: none; }
  .lt-many tr { grid-template-columns: repeat(3, minmax(0, 1fr)); }
  .lt-many td:first-child { grid-column: 1 / -1; }
  .lt-many td:first-child::before { display: none; }
}
@media print {
  :root { color-scheme: light; --ground: #FFFFFF; --panel: #F5F7FA; --text: #000000; --muted: #444444; --line: #BBBBBB;
    --up: #0B7A6F; --down: #B02421; --warn: #935C00; --accent: #1D5FC4; }
  html { font-size: 11px; }
  body { max-width: none; padding: 0; font-size: 1rem; }
  .lt-scroll { overflow: visible; }
  .lt-table th, .lt-table td { padding: .25rem .3rem; }
  h2 { break-after: avoid; } .chart, tr, .lt-fact { break-inside: avoid; }
  .modebar-container { display: none; }
}
"""
