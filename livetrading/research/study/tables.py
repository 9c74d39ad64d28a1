"""Tables of ours beside Optuna's in a database of studies."""

from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table

OURS = MetaData()
BARS = Table(
    "livetrading_bars",
    OURS,
    Column("sha256", String(64), primary_key=True),
    Column("piece", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
RETURNS = Table(
    "livetrading_returns",
    OURS,
    Column("trial_id", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
