"""Errors of the demonstrations: each message says what, what it got and what is allowed."""


class DemoError(ValueError):
    """A dataset, episode or collection argument outside what is allowed."""


class VideoError(DemoError):
    """A video file that cannot be read, or is not what it says."""
