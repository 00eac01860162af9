"""For all tests: hypothesis without a clock, so that a busy machine does not turn a slow example into a failure.

The example of a task of one's own is registered, so that every test of all tasks is one of it, too.
"""

from hypothesis import settings

import examples.circle  # noqa: F401  (registers its task)

settings.register_profile("daml", deadline=None, print_blob=True)
settings.load_profile("daml")
