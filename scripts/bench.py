"""`daml bench`: how fast the hot paths are, next to their floors."""
from dataclasses import dataclass
@dataclass(frozen=True)
class Bench:
    """Benchmarks."""
    what: str = "render"
    def run(self) -> None: ...
