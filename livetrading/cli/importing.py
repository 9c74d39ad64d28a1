"""``import-model``: a model that was trained elsewhere is checked, tested and registered."""

import argparse
import json
from pathlib import Path
from typing import Any

from ..adapters import foreign_zip, logs
from ..adapters.bars import ask_once, sample
from ..adapters.home import Home
from ..adapters.registry import Registry
from ..adapters.store import Store
from ..core import import_card
from ..core.errors import BadInput
from ..core.import_card import ImportCard
from . import report_text
from .acting import report_pause, utc_now

USAGE = "Give the zip of a model and its card: import-model FILE --card CARD; `--template` prints a card to fill in."


def import_model(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Nothing is registered and no opening is counted unless zip, card and bars fit each other."""
    if options.template is not None:
        return _template(home, options.template)
    if not options.file or not options.card:
        raise BadInput(USAGE)
    logs.setup(home, "import-model")
    given = read_card(Path(options.card))
    zips = [(Path(name).name, foreign_zip.read(Path(name))) for name in options.file]
    barset = ask_once(options.source or _source(given), home.cache, given.symbol, now=utc_now())
    from ..research import importing  # torch: two seconds, so only when the card can be read

    done = importing.import_model(given, zips, barset, registry=Registry(home), store=Store(home), clock=utc_now)
    card = done.card
    if options.json:
        report_pause(card.metrics["test"])
    warnings = done.report.warnings()
    head = f"{card.model_id} was imported and tested on bars from {card.source}. {card.source_note}"
    text = "\n".join([head, "", report_text.test(card.metrics, card.agent_type), *(f"Warning: {w}" for w in warnings)])
    return {
        "model_id": card.model_id,
        **card.metrics,
        "opened": card.opened,
        "warnings": warnings,
        "source": card.source,
        "source_note": card.source_note,
        "text": text,
    }


def read_card(path: Path) -> ImportCard:
    """BadInput with the file's name if it is no card."""
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error}); give the card's file.") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not JSON ({error}); `import-model --template` prints a card to fill in.") from error
    try:
        return import_card.parse(values)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _source(given: ImportCard) -> str:
    return given.source or ("sample" if given.symbol in sample.symbols() else "yahoo")


def _template(home: Home, model_id: str) -> dict[str, Any]:
    """A card as JSON, for both kinds of answer."""
    made = import_card.template(Registry(home).card(model_id)) if model_id else import_card.example()
    return {**made, "text": json.dumps(made, indent=1)}
