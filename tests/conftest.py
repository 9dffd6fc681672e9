"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# How long an example takes says more about the machine and its disk than about what is tested.
settings.register_profile("anywhere", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("anywhere")
