"""`daml adapt`: one video file in, a policy for that task and a film of it out."""

from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.common import console, env_id

if TYPE_CHECKING:
    from envs.scene import Scene


@dataclass(frozen=True)
class Adapt:
    """Adapt to one video of a human, and film the policy that comes out.

    Writes what the policy saw of the video (seen.png), the video beside the rollout (rollout.mp4) and result.json.
    Beside a clip of `daml collect` lies a JSON file that says which objects are in it: the robot then acts among the
    same ones, and success is reported. With a video of your own it acts in the scene that --seed draws.
    """

    video: Path
    """A video file of a human reaching for an object: mp4, mov, webm or gif, any size and frame rate."""
    env: str = "reach"
    """Environment."""
    policy: str | None = None
    """Folder of a policy; the one in the box when not given."""
    seed: int = 0
    """Of the robot's scene, when the video does not say which objects are in it."""
    start: float = 0.0
    """Where in the video the demonstration starts [s]."""
    end: float | None = None
    """Where it ends [s]."""
    size: int = 256
    """Side of the film [px]."""
    out: Path = Path("adapted")
    """Folder for the results."""

    def run(self) -> None:
        from agents.films import FPS, film
        from agents.imitation import adapt_to_video, watched_frames
        from agents.policies import load_policy, write_text
        from demos.video import contact_sheet, read_video, resample, resize, side_by_side, write_image, write_video

        environment = env_id(self.env)
        stored = load_policy(self.policy or self.env)
        imitator = stored.imitator()
        video = read_video(self.video, start=self.start, end=self.end)
        policy = adapt_to_video(imitator, stored.meta, video)
        scene, known = self._scene()
        episode, done = film(environment, scene, policy, self.size)
        self.out.mkdir(parents=True, exist_ok=True)
        write_image(self.out / "seen.png", contact_sheet(watched_frames(imitator, video), columns=imitator.frames))
        shown = resize(resample(video, max(2, round(video.duration * FPS))).frames, self.size)
        write_video(self.out / "rollout.mp4", side_by_side([shown, done], self.size, ["the video", "the robot"]), FPS)
        result = {"video": str(self.video), "frames": video.n_frames, "seconds": round(video.duration, 2)}
        if known:
            result |= {"success": episode.success, "right_object": episode.right_object, "distance": episode.distance}
            outcome = "success" if episode.success else f"failed, {100 * episode.distance:.0f} cm from the goal"
            console.print(f"{self.video}: {outcome}")
        write_text(self.out / "result.json", dumps(result, indent=2) + "\n")
        for name in ("seen.png", "rollout.mp4", "result.json"):
            console.print(f"wrote {self.out / name}")

    def _scene(self) -> "tuple[Scene, bool]":
        """Where the robot acts, and whether the video's goal is known to be its goal."""
        from demos.tasks import read_clip_tasks, sample_task_set

        found = read_clip_tasks(self.video)
        if found is None:
            return sample_task_set(self.seed, "test", 0, env_id=env_id(self.env)).robot_scenes[0], False
        tasks, goal = found
        return tasks.robot_scenes[0].with_goal(goal), True
