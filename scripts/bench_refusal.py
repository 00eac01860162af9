"""`daml bench refusal`: how well a policy tells videos of its own task from all others."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.common import ENVIRONMENTS, console, env_id, machine, policy_for, write_json
from scripts.inputs import Count, Env, File, InputError, Seconds, Seed
from scripts.progress import progress_bar

if TYPE_CHECKING:
    from demos.types import Video

SHORTEST = 0.5
"""Least length of the last piece of a clip, for the length of the others."""


@dataclass(frozen=True)
class BenchRefusal:
    """How well the score of `daml adapt` tells human videos of the task, which the policy knows, from all else.

    Positive are human videos of the task with objects of the meta-test split. Against them stand the same ones with
    frames shuffled, reversed or still, one grey, noise, human videos of the other tasks, and the clips of a folder of
    your own. AUROC: how often a positive one scores higher, 0.5 by chance. Refused: the share below the threshold,
    which was chosen on the meta-validation videos.
    """

    env: Env = "reach"
    policy: str | None = None
    """Folder of a policy; the one in the box when not given."""
    clips: Path | None = None
    """Folder of video files that show something else, such as everyday scenes."""
    seconds: Seconds | None = None
    """They are cut into pieces of this length [s]; when not given, as long as a human's video of the task."""
    videos: Count = 200
    """Of each kind that is simulated."""
    seed: Seed = 1
    """Of scenes and motions."""
    json: File | None = None
    """Write the result here."""

    def run(self) -> None:
        import numpy as np

        from agents.refusal import KNOWN, agreement
        from agents.statistics import auroc
        from demos.types import Video

        files = self._files()
        stored = policy_for(self.env, self.policy)
        imitator = stored.imitator()
        scores: dict[str, np.ndarray] = {}
        grey = np.full((2 * imitator.wanted.frames, imitator.size, imitator.size, 3), 128, np.uint8)
        agreement(imitator, stored.meta, Video(grey, np.arange(len(grey), dtype=float)))  # or says why there is none
        clips = {f"clip {file.name}": self._pieces(file, imitator.size) for file in files}
        kinds = dict(self._simulated(imitator.size)) | clips
        with progress_bar("kinds") as bar:
            job = bar.add_task("scoring", total=len(kinds), note="")
            for kind, videos in kinds.items():
                bar.update(job, note=kind)
                scores[kind] = np.array([agreement(imitator, stored.meta, video) for video in videos])
                bar.advance(job)
        known = scores.pop("human, meta-test")
        if real := [name for name in scores if name.startswith("clip ")]:
            scores["all clips"] = np.concatenate([scores[name] for name in real])
        result: dict[str, Any] = {"env": self.env, "policy": self.policy or self.env, "machine": machine()}
        result |= {"seed": self.seed, "threshold": KNOWN, "refused": float((known < KNOWN).mean()), "rows": {}}
        console.print(f"human videos of the task, meta-test: {len(known)}, refused {(known < KNOWN).mean():.3f}")
        console.print(f"{'against':28s} {'n':>4s}  AUROC  95 % interval   refused")
        for kind, score in scores.items():
            rate, low, high = auroc(known, score)
            refused = float((score < KNOWN).mean())
            console.print(f"{kind:28s} {len(score):4d}  {rate:.3f}  {low:.3f} to {high:.3f}  {refused:.3f}")
            result["rows"][kind] = {"n": len(score), "auroc": rate, "low": low, "high": high, "refused": refused}
        if self.json:
            write_json(self.json, result)

    def _files(self) -> list[Path]:
        """The clips of one's own.

        Raises:
            InputError: no folder, or an empty one.
        """
        from daml.folders import visible

        if self.clips is None:
            return []
        files = [path for path in visible(self.clips) if path.is_file()]
        if not files:
            raise InputError(f"clips: got {self.clips}, in which there is no file, allowed a folder of video files")
        return files

    def _simulated(self, size: int) -> "Iterator[tuple[str, list[Video]]]":
        """Kind -> videos; the human's own of meta-validation and meta-test objects first."""
        import numpy as np

        from demos.types import Video

        humans = self._humans(env_id(self.env), "test", size)
        rng = np.random.default_rng(self.seed)

        def changed(order: Any) -> "list[Video]":
            return [replace(video, frames=video.frames[order(video.n_frames)]) for video in humans]

        yield "human, meta-test", humans
        yield "human, meta-validation", self._humans(env_id(self.env), "val", size)
        yield "shuffled", changed(rng.permutation)
        yield "reversed", changed(lambda n: np.arange(n)[::-1])
        yield "still (the first frame)", changed(lambda n: np.zeros(n, int))
        shape, times = humans[0].frames.shape, humans[0].times
        yield "one grey", [Video(np.full(shape, grey, np.uint8), times) for grey in range(8, 256, 8)]
        yield "noise", [Video(rng.integers(0, 256, shape, dtype=np.uint8), times) for _ in range(self.videos)]
        for name, environment in ENVIRONMENTS.items():
            if name != self.env:
                yield f"human, {name}", self._humans(environment, "test", size)

    def _humans(self, environment: str, split: str, size: int) -> "list[Video]":
        """One video of each object set."""
        from demos.human import human_video
        from demos.recipe import Recipe
        from demos.tasks import task_of

        recipes = [Recipe(environment, self.seed, split, i, task_of(environment, i)[1]) for i in range(self.videos)]
        return [human_video(environment, recipe.human_scene(), recipe.motion(), size=size) for recipe in recipes]

    def _pieces(self, file: Path, size: int) -> "list[Video]":
        """A file cut into pieces, one after the other, with frames enough for every policy."""
        from demos.skills import find_skill
        from demos.video import read_times, read_video

        length = self.seconds or find_skill(env_id(self.env)).video_time
        end = float(read_times(file)[-1])
        starts = [0.0]
        while starts[-1] + (1 + SHORTEST) * length < end:
            starts.append(starts[-1] + length)
        return [read_video(file, n_frames=32, size=size, start=start, end=start + length) for start in starts]
