"""Errors of the agents: each message says what, what it got and what is allowed."""


class AgentError(ValueError):
    """A policy, preset or evaluation argument outside what is allowed."""
