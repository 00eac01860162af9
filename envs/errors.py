"""Errors of the environments: each message says what, what it got and what is allowed."""


class EnvError(ValueError):
    """A scene, object or environment argument outside what is allowed."""


class RenderError(RuntimeError):
    """No OpenGL context could be made, or it cannot draw what was asked."""
