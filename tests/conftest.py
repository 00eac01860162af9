"""For all tests: hypothesis without a clock, so that a busy machine does not turn a slow example into a failure."""

from hypothesis import settings

settings.register_profile("daml", deadline=None, print_blob=True)
settings.load_profile("daml")
