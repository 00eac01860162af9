"""`daml adapt`: one video file in, a policy for that task and a film of it out."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scripts.common import console, env_id, policy_for, write_json
from scripts.inputs import Env, Folder, InputError, Seconds, Seed, Side

if TYPE_CHECKING:
    from agents.imitation import Imitator, Policy
    from agents.policies import StoredPolicy
    from demos.types import Video
    from envs.scene import Scene

FILM_TIME = 20.0
"""Longest video that is shown as a film beside the robot [s]; of a longer one, only the frames that the policy sees."""
LONG = 4.0
"""Times as long as the videos of meta-training that a video may be before a warning."""


@dataclass(frozen=True)
class Adapt:
    """Adapt to one video of a human, and film the policy that comes out.

    Writes first what the policy sees of the video (seen.png: look at it; the hand and the object should be there), then
    the video beside the rollout (rollout.mp4) and result.json. A warning says when the video looks unlike those that
    the policy was meta-trained on, or is so long that the policy sees little of the action.
    Beside a clip of `daml collect` or in a recording of `daml record --by human` it says which objects are in it: the
    robot then acts among the same ones, and success is reported. With a video of your own it acts among the --objects
    that you name, or in the scene that --seed draws. It says which object the policy chose, and a warning says when the
    video shows no task that the policy knows.
    """

    video: Path
    """A video file of a human reaching for an object: mp4, mov, webm or gif, of any size, frame rate and rotation."""
    env: Env = "reach"
    policy: str | None = None
    """Folder of a policy; the one in the box when not given."""
    seed: Seed = 0
    """Of the robot's scene, when the video does not say which objects are in it."""
    objects: tuple[str, ...] = ()
    """What the robot acts among, by colour and shape, such as red-cube blue-can lime-mug; three of them, as in
    meta-training, are best. When not given: what the video says, or else what --seed draws."""
    start: Seconds = 0.0
    """Where in the video the demonstration starts [s]."""
    end: Seconds | None = None
    """Where it ends [s]."""
    fit: Literal["crop", "letterbox"] = "crop"
    """How a picture that is not square is made so: its middle, or all of it between black bars."""
    size: Side = 256
    """Side of the film [px]."""
    out: Folder = Path("adapted")
    """Folder for the results."""

    def run(self) -> None:
        from agents.attention import has_attention
        from agents.films import FPS, film
        from demos.skills import find_skill
        from demos.video import contact_sheet, read_times, side_by_side, write_image, write_video

        environment = env_id(self.env)
        stored = policy_for(self.env, self.policy)
        imitator = stored.imitator()
        scene, known = self._scene()
        if scene.layout != find_skill(environment).layout:
            raise InputError(f"env: got {self.env}, allowed the one of {self.video}; or name --objects")
        times = read_times(self.video, start=self.start, end=self.end)
        seen = self._watched(imitator)
        seconds = float(times[-1])
        if seconds <= FILM_TIME:
            shown = self._read(max(2, round(seconds * FPS)), self.size).frames
        else:
            shown = self._read(imitator.wanted.frames, self.size).frames.repeat(round(FPS / 2), axis=0)
        self.out.mkdir(parents=True, exist_ok=True)
        write_image(self.out / "seen.png", contact_sheet(seen.frames, columns=imitator.wanted.frames))
        console.print(f"wrote {self.out / 'seen.png'}: all that the policy sees")
        away = self._warn(imitator, environment, seen, seconds)
        policy = stored.adapt(seen)
        result = {"video": str(self.video), "frames": len(times), "seconds": round(seconds, 2)}
        result |= {"distance_from_training": round(away, 2)}
        if has_attention(policy):
            result |= self._knows(stored) | self._choice(policy, scene)
        episode, done = film(environment, scene, policy, self.size)
        if known:
            result |= {"success": episode.success, "right_object": episode.right_object, "distance": episode.distance}
            outcome = "success" if episode.success else f"failed, {100 * episode.distance:.0f} cm from the goal"
            console.print(f"{self.video}: {outcome}")
        write_video(self.out / "rollout.mp4", side_by_side([shown, done], self.size, ["the video", "the robot"]), FPS)
        write_json(self.out / "result.json", result)
        for name in ("rollout.mp4", "result.json"):
            console.print(f"wrote {self.out / name}")

    def _watched(self, imitator: "Imitator") -> "Video":
        """What the policy sees of the file, and no more of it in memory, however long and large it is."""
        import numpy as np

        from demos.types import Video

        frames = self._read(imitator.wanted.frames, imitator.size).frames
        # The moments are chosen already: evenly spaced times keep them from being chosen again.
        return Video(frames, np.arange(len(frames), dtype=float))

    def _read(self, n_frames: int, size: int) -> "Video":
        from demos.video import read_video

        return read_video(self.video, n_frames=n_frames, size=size, start=self.start, end=self.end, fit=self.fit)

    def _warn(self, imitator: "Imitator", environment: str, seen: "Video", seconds: float) -> float:
        """Says when the video is unlike those of meta-training; returns how far away it is."""
        from agents.domain import FAR, distance, training_gauge
        from demos.skills import find_skill

        usual = find_skill(environment).video_time
        away = distance(training_gauge(imitator, environment), imitator, seen)
        console.print(f"distance from the videos of meta-training: {away:.1f} (usual up to 1, foreign from {FAR})")
        if away > FAR:
            console.print("warning: the policy has never seen anything like this video; do not trust what it does")
        if seconds > LONG * usual:
            console.print(
                f"warning: got {seconds:.0f} s, of which the policy sees {imitator.wanted.frames} frames, "
                f"{seconds / imitator.wanted.frames:.1f} s apart; meta-training had {usual} s: give --start and --end"
            )
        return away

    def _knows(self, stored: "StoredPolicy") -> dict[str, Any]:
        """Says when the video shows no task that the policy knows."""
        from agents.refusal import KNOWN, agreement

        imitator = stored.imitator()
        score = agreement(imitator, stored.meta, self._read(2 * imitator.wanted.frames, imitator.size))
        console.print(f"agreement of what two halves of the video tell the policy: {score:.2f} (known from {KNOWN})")
        if score < KNOWN:
            console.print("warning: not a task that the policy knows; do not trust what it does")
        return {"agreement": round(score, 3), "known_task": score >= KNOWN}

    def _choice(self, policy: "Policy", scene: "Scene") -> dict[str, Any]:
        """Says which object the policy has chosen, and how sure it is."""
        from agents.choice import attention_on_objects

        on = attention_on_objects(policy, env_id(self.env), scene)
        chosen = scene.objects[int(on.argmax())].name
        shares = [(thing.name, round(float(share), 3)) for thing, share in zip(scene.objects, on, strict=True)]
        shares.append(("elsewhere", round(1 - float(on.sum()), 3)))
        console.print(f"chosen: {chosen}; attention: " + ", ".join(f"{name} {share:.2f}" for name, share in shares))
        return {"chosen": chosen, "attention": shares}

    def _scene(self) -> "tuple[Scene, bool]":
        """Where the robot acts, and whether the video's goal is known to be its goal."""
        import numpy as np

        from demos.manifest import FILM, INFO, read_info
        from demos.tasks import read_clip_tasks, sample_task_set
        from envs.scene import scene_with

        drawn = sample_task_set(self.seed, "test", 0, env_id=env_id(self.env)).robot_scenes[0]
        if self.objects:
            return scene_with(np.random.default_rng(self.seed), self.objects, drawn), False
        if self.video.name == FILM and (self.video.parent / INFO).is_file():
            info = read_info(self.video.parent)
            return info.recipe.robot_scene(), True
        found = read_clip_tasks(self.video)
        if found is None:
            return drawn, False
        tasks, goal = found
        return tasks.robot_scenes[0].with_goal(goal), True
