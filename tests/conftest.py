"""Two runs give the same result: properties are searched in a fixed order, without time limits. Slow files start first."""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")  # pytest --hypothesis-profile=default searches at random

SLOW = (
    "dashboard/test_dangerous.py",
    "execution/test_waiting_stop.py",
    "execution/test_waiting_stop_time.py",
    "cli/test_up.py",
    "cli/test_search.py",
    "execution/test_vanished_exit.py",
    "dashboard/test_private_home.py",
    "dashboard/test_journey.py",
    "execution/test_mute_broker.py",
    "cli/probe_open/test_what_goes_wrong.py",
    "faults/test_exceptions_slice.py",
    "research/test_training.py",
    "dashboard/test_switching.py",
    "dashboard/test_settings_browser.py",
    "dashboard/test_api.py",
    "execution/test_healing.py",
    "faults/test_emergency_slice.py",
    "faults/test_store_slice.py",
    "dashboard/test_hung.py",
)
"""Files that take longest, the slowest first. A file stays in one worker, so one of them that starts last
would keep a single worker busy after all others have ended. A wrong order costs only time."""


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # pytest-xdist would order files by their number of tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: at for at, name in enumerate(SLOW)}

    def rank_of(item: pytest.Item) -> int:
        return rank.get("/".join(item.nodeid.partition("::")[0].split("/")[1:]), len(SLOW))

    items.sort(key=rank_of)  # stable: the rest keeps its order
