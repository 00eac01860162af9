"""The domain gap: how far an evaluation's videos and scenes are from those of meta-training, as named levels.

Level 1 is meta-training's own, or 0 of what it does not have. One difference at a time, or all together: "view=2",
"all=3".
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from demos.errors import DemoError
from demos.skills import find_skill
from demos.tasks import N_OBJECTS
from envs.appearance import Dials
from envs.nudge import FARTHEST

LEVELS: dict[str, tuple[int, ...]] = {
    **{field.name: (0, 1, 2, 3) for field in fields(Dials)},
    "objects": (1, 2, 3),
    "distractors": (0, 1, 2),
    "nudge": tuple(range(len(FARTHEST))),
}
"""Difference -> its levels. Those of `Dials`: 0 nothing varies.  objects: 1 of the split asked for, 2 known shapes with
textures never seen in meta-training, 3 shapes never seen, too.  distractors: more objects, which are nobody's goal.
nudge: objects are moved while the robot is on its way."""

_FROM_NOTHING = ("distractors", "nudge")
"""Differences whose level 0 is meta-training's."""

SWEEP = (
    *((name, level) for name in LEVELS if name not in _FROM_NOTHING for level in (2, 3)),
    *((name, level) for name in _FROM_NOTHING for level in (1, 2)),
    *(("all", level) for level in (2, 3)),
)
"""What a table of the gap shows: every level beyond meta-training's."""

_SPLITS = {2: "test-textures", 3: "test-shapes"}


@dataclass(frozen=True)
class Gap:
    """dials: how far looks and motions may vary.  objects, distractors, nudge: see `LEVELS`."""

    dials: Dials = Dials()  # noqa: RUF009  (frozen)
    objects: int = 1
    distractors: int = 0
    nudge: int = 0

    def split(self, split: str) -> str:
        """The split that objects come from, where `split` is asked for.

        Raises:
            DemoError: novel objects are no part of it.
        """
        if self.objects == 1:
            return split
        if split != "test":
            raise DemoError(f"gap objects={self.objects}: got split {split!r}, allowed 'test'")
        return _SPLITS[self.objects]

    def check(self, env_id: str) -> None:
        """Refuses more objects than stand on an environment's table.

        Raises:
            DemoError: says how many do.
        """
        most = find_skill(env_id).layout.most - N_OBJECTS
        if self.distractors > most:
            raise DemoError(f"gap distractors: got {self.distractors}, allowed 0 to {most} in {env_id}")


def parse(levels: Iterable[str]) -> Gap:
    """Reads "view=2" and the like; "all=2" turns everything but distractors and nudge, and what comes later wins.

    Raises:
        DemoError: an unknown name or level.
    """
    gap = Gap()
    for text in levels:
        name, _, value = text.partition("=")
        if name not in (*LEVELS, "all"):
            raise DemoError(f"gap: got {text!r}, allowed NAME=LEVEL with a name of {[*LEVELS, 'all']}")
        allowed = LEVELS["objects" if name == "all" else name]
        if value not in map(str, allowed):
            raise DemoError(f"gap {name}: got level {value!r}, allowed {list(allowed)}")
        gap = _turned(gap, name, int(value))
    return gap


def _turned(gap: Gap, name: str, level: int) -> Gap:
    if name == "all":
        return replace(gap, objects=level, dials=Dials(**dict.fromkeys(vars(gap.dials), float(level))))
    if name in vars(gap.dials):
        return replace(gap, dials=replace(gap.dials, **{name: float(level)}))
    return replace(gap, **{name: level})  # type: ignore[arg-type]
