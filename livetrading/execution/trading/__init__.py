"""One pass over one agent: fetch, book, decide, plan, send; live and in a replay."""
