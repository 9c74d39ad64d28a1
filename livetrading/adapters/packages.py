"""Versions of the packages that a trained model depends on."""

from collections.abc import Mapping
from importlib import metadata

from ..core.errors import Refused

PACKAGES = ("stable-baselines3", "torch", "pandas", "numpy", "ta")


def versions() -> dict[str, str]:
    """Installed versions by package name; no package is imported."""
    return {name: metadata.version(name) for name in PACKAGES}


def check_versions(recorded: Mapping[str, str], model_id: str) -> None:
    """Refused if a package has another major version than at training.

    A major 0 changes with each minor version (semver.org, item 4).
    """
    installed = versions()
    for name in PACKAGES:
        was = recorded.get(name, "none")
        if _major(was) != _major(installed[name]):
            raise Refused(
                f"{model_id} was trained with {name} {was} and {installed[name]} is installed: "
                "train it again, or install the packages that its card names."
            )


def _major(version: str) -> tuple[str, ...]:
    parts = version.split(".")
    return tuple(parts[:2]) if parts[0] == "0" else tuple(parts[:1])
