"""The path says what code may do: the imports of every file, walked."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "livetrading"
FLOORS = {
    "core": set(),
    "adapters": {"core"},
    "research": {"core", "adapters"},
    "execution": {"core", "adapters"},
    "dashboard": {"core", "adapters", "research", "execution"},
    "cli": {"core", "adapters", "research", "execution", "dashboard"},
}
ROOMS = ("state", "orders", "accounts", "trading", "node", "stopping")
"""Inside ``execution``, from the ground up; the other flat files stand above them all."""
CORE_MAY = {
    "numpy",
    "pandas",
    "ta",
    "math",
    "re",
    "json",
    "hashlib",
    "dataclasses",
    "datetime",
    "enum",
    "typing",
    "collections",
    "functools",
    "itertools",
    "statistics",
    "zoneinfo",
    "decimal",
    "fractions",
    "operator",
    "bisect",
}
HEAVY = {"torch", "stable_baselines3", "gymnasium"}
MAX_LINES = 400
BROKER_NAME = re.compile(
    r"ibkr|(?<![a-z])ib(?![a-z])|(?<![a-z])tws(?![a-z])|interactive.?brokers|ib_?gateway|ib_?async", re.IGNORECASE
)
"""What names a broker, its programs or its library."""
SOURCE = re.compile(r"\(source: [^)]*\)")
"""Where a docstring of core or execution says from whom a rule is known: the one place where it may name a broker."""
NAME_A_BROKER = 14
"""So many files outside ``adapters/brokers`` at most."""


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path, *, lazy: bool = True) -> list[str]:
    """Absolute names of the modules that a file imports; with ``lazy`` also inside functions."""
    tree = ast.parse(path.read_text())
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    nodes = ast.walk(tree) if lazy else _at_import(tree)
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return found


def _at_import(tree: ast.Module) -> list[ast.stmt]:
    """Statements that run when the module is imported; not those for type checkers alone."""
    return [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]


def floor_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_floor_imports_only_floors_below_it(path: Path) -> None:
    floor = floor_of(path)
    if floor not in FLOORS:
        return
    allowed = FLOORS[floor] | {floor}
    reached = {n.split(".")[1] for n in imports(path) if n.startswith("livetrading.") and n.count(".") >= 1}
    assert {r for r in reached if r in FLOORS} <= allowed


def room_of(module: str) -> int:
    """How high a module of ``execution`` stands."""
    name = module.split(".")[2]
    return ROOMS.index(name) if name in ROOMS else len(ROOMS)


def graph() -> dict[str, set[str]]:
    """Modules of the package and those of it that each imports, wherever in the file, also for type checkers alone."""
    paths = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in files()}
    return {
        name: {n for n in imports(path) if n in paths and n != name and not paths[n].name == "__init__.py"}
        for name, path in paths.items()
    }


def test_no_arrow_inside_execution_climbs() -> None:
    inside = {
        name: {n for n in seen if n.startswith("livetrading.execution.")}
        for name, seen in graph().items()
        if name.startswith("livetrading.execution.")
    }
    assert [(name, n) for name, seen in inside.items() for n in sorted(seen) if room_of(n) > room_of(name)] == []


def test_no_imports_run_in_a_circle() -> None:
    left = graph()
    while free := [name for name, seen in left.items() if not seen & left.keys()]:
        for name in free:
            del left[name]
    assert sorted(left) == [], "these import each other, or what does"


def test_the_room_of_a_folder_is_described_and_imports_nothing() -> None:
    for path in (p for p in files() if p.name == "__init__.py" and "execution" in p.parts):
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree) and len(tree.body) == 1, path


@pytest.mark.parametrize("path", sorted((PACKAGE / "core").glob("*.py")), ids=lambda p: p.name)
def test_the_core_touches_neither_disk_nor_clock_nor_log(path: Path) -> None:
    foreign = {n.split(".")[0] for n in imports(path)} - {"livetrading"} - CORE_MAY
    assert foreign == set()
    assert (
        _calls(path) & {"open", "print", "input", "now", "utcnow", "today", "monotonic", "default_rng", "seed"} == set()
    )


def _calls(path: Path) -> set[str]:
    called = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {f.id if isinstance(f, ast.Name) else f.attr for f in called if isinstance(f, ast.Name | ast.Attribute)}


def test_the_dashboard_never_reaches_torch() -> None:
    """Neither directly nor by what it imports when it is imported."""
    seen: set[Path] = set()
    queue = [*(PACKAGE / "dashboard").rglob("*.py"), *(ROOT / "pages").glob("*.py"), ROOT / "app.py"]
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        names = imports(path, lazy="dashboard" in path.parts or "pages" in path.parts)
        assert not {n.split(".")[0] for n in names} & HEAVY, path
        for name in names:
            stem = ROOT.joinpath(*name.split("."))
            queue += [p for p in (stem.with_suffix(".py"), stem / "__init__.py") if p.exists()]
    assert len(seen) > 20


def test_no_file_outgrows_a_reader() -> None:
    long = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in files()}
    assert {name: n for name, n in long.items() if n > MAX_LINES} == {}


def named_in_code(path: Path) -> set[str]:
    """Identifiers, modules and texts of a file that name a broker, docstrings without their sources."""
    tree = ast.parse(path.read_text())
    docs = _docstrings(tree)
    found = {name for name in imports(path) if path.is_relative_to(PACKAGE)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(SOURCE.sub("", node.value) if id(node) in docs else node.value)
        for key in ("id", "attr", "name", "arg", "asname"):
            found.add(str(getattr(node, key, None) or ""))
    return {text for text in found if BROKER_NAME.search(text)}


def _docstrings(tree: ast.Module) -> set[int]:
    """Texts that stand as a statement: of modules, classes and functions, and below a constant or a field."""
    return {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}


@pytest.mark.parametrize(
    "path", [p for p in files() if floor_of(p) in ("core", "execution")], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_core_and_execution_name_no_broker(path: Path) -> None:
    assert named_in_code(path) == set()


def test_few_files_outside_the_brokers_own_folders_name_one() -> None:
    pages = [*(ROOT / "pages").glob("*.py"), ROOT / "app.py"]
    outside = [p for p in [*files(), *pages] if PACKAGE / "adapters" / "brokers" not in p.parents]
    naming = [str(p.relative_to(ROOT)) for p in outside if BROKER_NAME.search(p.read_text())]
    assert len(naming) <= NAME_A_BROKER, naming


def test_the_registry_of_brokers_loads_no_brokers_library() -> None:
    """Nor anything else that takes seconds: it is asked by every command and page."""
    code = "import sys, livetrading.adapters.brokers.registry as r; r.names(); print([m for m in ('ib_async', 'pandas', 'numpy', 'tinydb', 'filelock') if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
        ).stdout.strip()
        == "[]"
    )


def test_pages_and_commands_name_a_broker_only_in_the_folder_of_its_own_commands() -> None:
    """Elsewhere the name comes from the registry of brokers."""
    paths = [
        *(PACKAGE / "dashboard").rglob("*.py"),
        *(PACKAGE / "cli").rglob("*.py"),
        *(ROOT / "pages").glob("*.py"),
        ROOT / "app.py",
    ]
    own = PACKAGE / "cli" / "ibkr"
    assert [p for p in paths if own not in p.parents and BROKER_NAME.search(p.read_text())] == []


SEARCHES = {
    "startswith",
    "endswith",
    "removeprefix",
    "removesuffix",
    "find",
    "index",
    "count",
    "partition",
    "rpartition",
    "split",
}
"""Methods of a text that look for another text in it."""


def sentences(tree: ast.Module) -> dict[str, str]:
    """Names that a module binds to a text that a person reads, alone or in a table."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            texts = [t for n in ast.walk(node.value) for t in _text(n)]
            found |= {n.id: texts[0] for t in targets for n in ast.walk(t) if isinstance(n, ast.Name) and texts}
    return found


def known_in(path: Path, of: dict[str, dict[str, str]]) -> dict[str, str]:
    """Names by which a file knows such texts: its own, imported ones, and those of an imported module as ``module.NAME``."""
    tree = ast.parse(path.read_text())
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found = sentences(tree)
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)):
        base = package[: len(package) - node.level + 1] if node.level else ()
        module = ".".join([*base, *([node.module] if node.module else [])])
        for alias in node.names:
            name = alias.asname or alias.name
            if text := of.get(module, {}).get(alias.name):
                found[name] = text
            found |= {f"{name}.{inner}": text for inner, text in of.get(f"{module}.{alias.name}", {}).items()}
    return found


def _text(node: ast.AST) -> list[str]:
    """A constant that is made of words."""
    value = node.value if isinstance(node, ast.Constant) else None
    return [value] if isinstance(value, str) and " " in value and any(c.isalpha() for c in value) else []


def compared(tree: ast.AST, known: dict[str, str]) -> list[str]:
    """Texts of several words that code compares with, matches or looks for; ``known`` names stand for theirs."""
    found = []
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SEARCHES:
            parts = [node.func.value, *node.args]
        found += [text for part in parts for text in _operand(part, known)]
    return found


def _operand(part: ast.AST, known: dict[str, str]) -> list[str]:
    """What stands in a comparison itself, one by one in a collection; not what a call inside is given."""
    if isinstance(
        part, ast.Tuple | ast.List | ast.Set | ast.JoinedStr | ast.BinOp | ast.IfExp | ast.BoolOp | ast.FormattedValue
    ):
        return [text for inner in ast.iter_child_nodes(part) for text in _operand(inner, known)]
    if isinstance(part, ast.Name | ast.Attribute):
        return [known[name]] if (name := ast.unparse(part)) in known else []
    return _text(part)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("if reason == 'the stop is set': pass", 1),
        ("if why.startswith('closed by '): pass", 1),
        ("if f'closed by {who}' == why: pass", 1),
        ("if text in (AWAY, 'x'): pass", 1),
        ("if text == desk.AWAY: pass", 1),
        ("if kind == State.AWAY: pass", 0),
        ("if kind == 'away': pass", 0),
        ("say('the stop is set')", 0),
        ("match why:\n case 'not now': pass", 1),
    ],
)
def test_a_compared_sentence_is_found(code: str, found: int) -> None:
    assert len(compared(ast.parse(code), {"AWAY": "it is away", "desk.AWAY": "it is away"})) == found


def test_no_code_of_core_or_execution_compares_a_sentence_made_for_people() -> None:
    """A code or an enum decides; what journals of the version before hold in words is read in one place."""
    of = {".".join(p.relative_to(ROOT).with_suffix("").parts): sentences(ast.parse(p.read_text())) for p in files()}
    paths = [p for p in files() if floor_of(p) in ("core", "execution")]
    wrong = {str(p.relative_to(PACKAGE)): compared(ast.parse(p.read_text()), known_in(p, of)) for p in paths}
    assert {path: texts for path, texts in wrong.items() if texts} == {}


REASONS = {"reason", "before", "why", "detail", "trouble", "complaint", "message", "status_reason", "held_reason"}
"""Names under which code carries a text made for people."""
COMPARE_REASONS = {
    "core/agent.py": ["re.sub('\\\\d+', '#', reason) == re.sub('\\\\d+', '#', before)"],
    "execution/state/alarms.py": ["first['reason'] == last['reason']"],
}
"""Held sessions count in a row while the reason is the same again, which journals store without a code; and an alarm
does not say the same reason twice. Neither depends on what the text says."""


def reasons_compared(tree: ast.AST) -> list[str]:
    """Comparisons of such a text with a text that is not written there, also through a function of ``re``."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and all(
            isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops
        ):
            parts = [node.left, *node.comparators]
            known = any(isinstance(p, ast.Constant) or ast.unparse(p).rpartition(".")[2].isupper() for p in parts)
            found += [ast.unparse(node)] if not known and any(map(_reason, parts)) else []
    return found


def _reason(part: ast.expr) -> bool:
    if isinstance(part, ast.Call) and ast.unparse(part.func).startswith("re."):
        return any(map(_reason, part.args))
    if isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant):
        return part.slice.value in REASONS
    return ast.unparse(part).rpartition(".")[2] in REASONS if isinstance(part, ast.Name | ast.Attribute) else False


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("same = event.reason == state.held_reason", 1),
        ("same = re.sub('a', 'b', reason) == other", 1),
        ("same = doc['reason'] != text", 1),
        ("paused = intent.reason == Reason.DRAWDOWN_PAUSE", 0),
        ("known = reason is not None and order.cause == cause", 0),
    ],
)
def test_two_reasons_that_are_compared_are_found(code: str, found: int) -> None:
    assert len(reasons_compared(ast.parse(code))) == found


def test_core_and_execution_compare_reasons_with_each_other_only_where_it_is_explained() -> None:
    paths = [p for p in files() if floor_of(p) in ("core", "execution")]
    found = {p.relative_to(PACKAGE).as_posix(): reasons_compared(ast.parse(p.read_text())) for p in paths}
    assert {path: texts for path, texts in found.items() if texts} == COMPARE_REASONS
