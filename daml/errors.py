"""The errors of this package: one family; each message says what, what it got, and what is allowed."""


class DamlError(ValueError):
    """Base of every error raised by `daml`.

    Args:
        what: what is wrong, with the name of the thing.
        got: the offending value.
        allowed: what would have been accepted.
    """

    def __init__(self, what: str, got: object, allowed: str) -> None:
        super().__init__(f"{what}: got {got}; allowed: {allowed}")
        self.what, self.got, self.allowed = what, got, allowed

    def __reduce__(self) -> tuple:
        return type(self), (self.what, self.got, self.allowed)


class MetaLearningError(DamlError):
    """The tasks, the rule or the meta-parameters cannot be learned from (wrong keys, wrong sizes, not finite)."""


class CheckpointError(DamlError):
    """A checkpoint or a log cannot be written, read, or does not belong to this state."""


class ProcessError(DamlError):
    """A process of a run in several of them died, was stopped, or does something else than the others."""


class ModuleError(DamlError):
    """A module that was named cannot be imported, or has not what was named in it."""
