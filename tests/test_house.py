"""The picture of the house in docs is what the imports say."""

import importlib.util
from pathlib import Path

DRAW = Path(__file__).resolve().parents[1] / "docs" / "draw_house.py"


def test_the_committed_picture_equals_the_code() -> None:
    spec = importlib.util.spec_from_file_location("draw_house", DRAW)
    assert spec is not None and spec.loader is not None
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    assert draw.PICTURE.read_text("utf-8") == draw.svg(), "run `python docs/draw_house.py` and commit docs/house.svg"
