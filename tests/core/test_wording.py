"""Numbers in sentences."""

import pytest

from livetrading.core.wording import ordinal


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (21, "21st"),
        (113, "113th"),
        (1002, "1,002nd"),
    ],
)
def test_an_ordinal_ends_as_english_has_it(n: int, said: str) -> None:
    assert ordinal(n) == said
