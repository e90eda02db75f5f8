"""What all tests share: property tests that give the same answer on a slow and a fast machine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "kb", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("kb")
