"""For all tests: hypothesis without a clock, so that a busy machine does not turn a slow example into a failure; and a
priority that leaves the machine to others.

The example of a task of one's own is registered, so that every test of all tasks is one of it, too.
"""

import os

import pytest
from hypothesis import settings

import examples.circle  # noqa: F401  (registers its task)

settings.register_profile("daml", deadline=None, print_blob=True)
settings.load_profile("daml")


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Gives back the priority that an AV1 encoder takes: SVT-AV1 4.1 makes a process of root that calls it a real-time
    one. All others would wait for it, and for each process that a later test starts."""
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
