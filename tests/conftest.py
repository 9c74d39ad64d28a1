"""Two runs give the same result: properties are searched in a fixed order, without time limits."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")  # pytest --hypothesis-profile=default searches at random
