"""`daml report`: what policies do, in one page that needs nothing else, and its numbers as JSON."""

import base64
import html
import importlib.metadata
import io
import platform
import re
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from agents.controls import MEANINGS, PREDICTIONS
from demos.processes import cores
from scripts import plots
from scripts.common import NONE, console, env_id, env_names, find_policy, machine, write_json
from scripts.inputs import Count, Folder, InputError, On, Seed
from scripts.progress import progress_bar

if TYPE_CHECKING:
    import numpy as np

    from agents.evaluation import Report as Evaluation
    from agents.policies import StoredPolicy
    from agents.workers import Workers
    from demos.types import Video
    from envs.scene import Scene

PACKAGES = ("torch", "gymnasium", "mujoco", "numpy", "daml")
FILMS = 3
"""Successes, and as many failures, that are shown of each policy."""
FILM_SIZE = 192
LOOKS = {
    "looks": ("Where the policy looks", "Its attention to what the video tells, red where it is largest."),
    "loss": (
        "Where the learned loss looks in the human's video",
        "The frames that the policy sees. Red: size of the gradient of the learned loss with respect to the pixels, "
        "before the inner step; averaged over squares, full red where it is largest in the video.",
    ),
}
"""Picture -> its title, and what is drawn."""
MOVED = {
    f"nudge={level}": f"a human doing it; the objects are moved by {far // 2} to {far} cm on the robot's way"
    for level, far in ((1, 2), (2, 4))
}
"""Gaps that have a row, and what they mean."""
ROWS = MEANINGS | MOVED
"""Row -> what the policy is shown, and what happens to it."""
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .25rem .8rem; border-bottom: 1px solid #ddd;
text-align: left; font-variant-numeric: tabular-nums } .n { text-align: right } td.i { white-space: nowrap }
.films { display: flex; flex-wrap: wrap; gap: 1rem } .films figure { width: 19rem }
figure { margin: 0 } figcaption { font-size: 13px; color: #555 }
video, img { max-width: 100%; display: block } code { background: #f3f3f3; padding: 0 .2rem }
.bar { display: inline-block; height: .7rem; background: #4a90d9; vertical-align: middle }
"""


@dataclass(frozen=True)
class Report:
    """One HTML file with everything in it, and its numbers as report.json.

    Success with intervals beside every control and after nudges, films of successes and failures, where the policy
    looks before and after adaptation, learning curve, configuration and versions.
    """

    policies: Positional[tuple[str, ...]] = ("reach",)
    """Folders of policies, runs of `daml train`, or names of policies in the box."""
    tasks: Count = 60
    """Tasks for each row, each with one video and one rollout, on objects of the meta-test split."""
    seed: Seed = 1
    """Of tasks, scenes and motions."""
    out: Folder = Path("report")
    """Folder for report.html and report.json."""
    on: On = "processes"
    quick: bool = False
    """A smoke run: three tasks a row."""

    def run(self) -> None:
        from agents.evaluation import shown_to
        from agents.policies import write_text
        from agents.workers import workers_on

        started = time.monotonic()
        numbers: dict[str, Any] = {"machine": machine(), "seed": self.seed, "versions": versions(), "policies": {}}
        sections, policies = [], {name: find_policy(name) for name in self.policies}
        for name, stored in policies.items():
            env = stored.config.env
            if env == NONE or "human" not in shown_to(stored.preset, env_id(env_names(env)[0])):
                raise InputError(f"policy {name}: got one that watches no human in a simulator, allowed one that does")
        with progress_bar("rows") as bar, workers_on(self.on, cores()) as workers:
            for name, stored in policies.items():
                for env in env_names(stored.config.env):
                    title = name if env == stored.config.env else f"{name} in {env}"
                    rows = (*shown_to(stored.preset, env_id(env)), *MOVED)
                    job = bar.add_task(title, total=len(rows) + 1, note="")
                    results = {}
                    for row in rows:
                        bar.update(job, note=row)
                        results[row] = self._evaluate(stored, env, row, workers)
                        bar.advance(job)
                    bar.update(job, note="films")
                    said = self._numbers(name, stored, results)
                    numbers["policies"][title] = said
                    sections.append(section(title, said, self._pictures(stored, env, results["human"])))
                    bar.advance(job)
                    numbers["seconds"] = round(time.monotonic() - started, 1)
                    write_json(self.out / "report.json", numbers)  # a stop loses one policy
                    write_text(self.out / "report.html", page(numbers, sections))
        console.print(f"report: {self.out / 'report.html'}, its numbers: {self.out / 'report.json'}")

    def _evaluate(self, stored: "StoredPolicy", env: str, row: str, workers: "Workers") -> "Evaluation":
        from agents.evaluation import evaluate_preset
        from demos.gap import parse

        return evaluate_preset(
            stored.preset,
            stored.meta,
            sizes=stored.config.sizes,
            env_id=env_id(env),
            split="test",
            tasks=3 if self.quick else self.tasks,
            trials=1,
            seed=self.seed,
            video="human" if row in MOVED else row,
            gap=parse([row] if row in MOVED else []),
            workers=workers,
        )

    def _numbers(self, name: str, stored: "StoredPolicy", results: "dict[str, Evaluation]") -> dict[str, Any]:
        """All that the page says of a policy, as JSON."""
        human = results["human"].successes[:, 0]
        return {
            "config": asdict(stored.config),
            "rows": {row: report.summary() for row, report in results.items()},
            "films": {"successes": _first(human), "failures": _first(~human)},
            "curve": learning_curve(name),
            "hint_steps": stored.preset.hint_steps,
        }

    def _pictures(self, stored: "StoredPolicy", env: str, report: "Evaluation") -> dict[str, Any]:
        """Films of the first successes and failures, and where policy and learned loss look: bytes, with captions."""
        from agents.films import FPS, film_beside_human
        from demos.human import human_video
        from demos.tasks import sample_task_set, task_of

        environment = env_id(env)
        human = report.successes[:, 0]
        pictures: dict[str, Any] = {"successes": [], "failures": [], "looks": None, "loss": None}
        for kind, numbers in (("successes", _first(human)), ("failures", _first(~human))):
            for number in numbers:
                index, goal = task_of(environment, number)
                tasks = sample_task_set(self.seed, "test", index, env_id=environment)
                shown = tasks.human_scene.with_goal(goal)
                video = human_video(environment, shown, tasks.motion(goal))
                policy = stored.adapt(video)
                _, frames = film_beside_human(environment, tasks, goal, policy, FILM_SIZE)
                caption = f"Task {number}, set {index}: {names(environment, shown)}"
                pictures[kind].append((mp4(frames, FPS), caption))
                if number == min(_first(human) or _first(~human)):
                    scene = tasks.robot_scenes[0].with_goal(goal)
                    pictures["looks"] = attention_picture(stored, environment, scene, video, caption)
                    pictures["loss"] = loss_picture(stored, video, caption)
        return pictures


def _first(flags: "np.ndarray") -> list[int]:
    """Numbers of the first few tasks that are flagged."""
    return [int(i) for i in flags.nonzero()[0][:FILMS]]


def names(environment: str, scene: "Scene") -> str:
    """What is to be done in a scene, and what else is on its table."""
    from demos.recorder import in_words

    things = [*scene.objects, *scene.containers]
    goal = {scene.goal, *([len(scene.objects) + scene.aim] if scene.containers else [])}
    others = [thing.in_words for number, thing in enumerate(things) if number not in goal]
    return f"{in_words(environment, scene)}; and not " + ", ".join(others)


def attention_picture(
    stored: "StoredPolicy", environment: str, scene: "Scene", video: "Video", caption: str
) -> tuple[bytes, str] | None:
    """Where a policy looks in a scene before and after a video, and how much of that is on which object; None of one
    without attention."""
    from agents.attention import has_attention, looks
    from agents.choice import attention_on_objects
    from agents.imitation import adapt_to_video
    from demos.video import side_by_side

    policy = stored.adapt(video)
    if not has_attention(policy):
        return None
    before = adapt_to_video(stored.preset.imitator(0, stored.config.sizes), stored.meta, video)
    pair = {"looks here before": before, "and after the video": policy}
    policies = pair if stored.preset.inner_steps else {"looks here": policy}
    images = looks(environment, scene, [*policies.values()], FILM_SIZE)
    labels = ["the robot's first image", *policies]
    picture = side_by_side([image[None] for image in images], FILM_SIZE, labels)[0]
    shares = attention_on_objects(policy, environment, scene)
    on = ", ".join(f"{thing.in_words} {share:.2f}" for thing, share in zip(scene.objects, shares, strict=True))
    return png(picture), f"{caption}. Attention after the video: {on}, elsewhere {1 - shares.sum():.2f}"


def loss_picture(stored: "StoredPolicy", video: "Video", caption: str) -> tuple[bytes, str] | None:
    """Where in a video the learned loss looks; None of a method without one."""
    from agents.sensitivity import loss_looks
    from demos.video import contact_sheet

    imitator = stored.imitator()
    if imitator.learned_loss is None:
        return None
    frames = loss_looks(imitator, stored.meta, video, FILM_SIZE)
    return png(contact_sheet(frames, columns=4)), caption


def learning_curve(name: str) -> list[dict[str, float]]:
    """What was measured during meta-training on meta-validation objects, where the run's log is at hand."""
    from agents.policies import bundled
    from daml import read_log

    if name in bundled():  # whatever lies in the present folder is not theirs
        return []
    for folder in (Path(name), Path(name).parent):
        if (folder / "log.jsonl").exists():
            return [
                {key: record[key] for key in ("step", "seconds", "val_success", "val_nearest")}
                for record in read_log(folder / "log.jsonl")
                if "val_success" in record
            ]
    return []


def versions() -> dict[str, str]:
    """Of Python and of what the numbers depend on."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def mp4(frames: "np.ndarray", fps: float) -> bytes:
    """A film as the bytes of an mp4 file."""
    from demos.video import write_video

    with tempfile.TemporaryDirectory() as folder:
        write_video(Path(folder) / "film.mp4", frames, fps)
        return (Path(folder) / "film.mp4").read_bytes()


def png(image: "np.ndarray") -> bytes:
    """An image as the bytes of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()


def curve_picture(curve: list[dict[str, float]], hint_steps: int) -> bytes:
    """Success on meta-validation objects against meta-steps, as the bytes of a PNG file."""
    with plots.figure(6, 3) as (figure, (axes,)):
        plots.success_curve(axes, curve, hint_steps)
        return plots.png(figure)


def page(numbers: dict[str, Any], sections: list[str]) -> str:
    """The whole page."""
    said = ", ".join(f"{name} {version}" for name, version in numbers["versions"].items())
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>daml report</title>"
        f"<link rel='icon' href='data:,'><style>{STYLE}</style></head><body>"
        "<h1>One-shot imitation from human video</h1><p>Each task: one video of a human, then one rollout of the robot "
        "among the same objects, elsewhere. Objects of the meta-test split. Chance to act on the right object is 1/3. "
        "Beside how often that was done stands what was predicted. Intervals are Wilson's, 95 %, over tasks.</p>"
        f"{''.join(sections)}<h2>Made with</h2><p>{html.escape(said)}; {html.escape(numbers['machine'])}; "
        f"seed {numbers['seed']}; {numbers['seconds']:.0f} s.</p></body></html>\n"
    )


def section(name: str, said: dict[str, Any], pictures: dict[str, Any]) -> str:
    """Of one policy."""
    config = said["config"]
    title = name if name == config["env"] else f"{name}: {config['env']}"
    parts = [f"<h2>{html.escape(title)}, preset {html.escape(config['preset'])}</h2>"]
    parts.append(
        "<table><tr><th>shown</th><th class='n'>success</th><th></th><th>95 % interval</th>"
        "<th class='n'>right object</th><th>predicted</th><th class='n'>tasks</th></tr>"
    )
    for what, row in said["rows"].items():
        parts.append(
            f"<tr><td>{html.escape(ROWS[what])}</td><td class='n'>{row['success']:.3f}</td>"
            f"<td style='width:9rem'><span class='bar' style='width:{100 * row['success']:.0f}%'></span></td>"
            f"<td class='i'>{row['ci_low']:.3f} to {row['ci_high']:.3f}</td><td class='n'>{row['nearest']:.3f}</td>"
            f"<td class='i'>{predicted(what)}</td><td class='n'>{row['tasks']}</td></tr>"
        )
    parts.append("</table>")
    if "aim" in said["rows"]["human"]:
        parts.append(confusion(said["rows"]))
    for kind in ("successes", "failures"):
        parts.append(f"<h3>The first {kind}</h3>" if pictures[kind] else f"<h3>No {kind}</h3>")
        films = "".join(
            "<figure><video autoplay controls loop muted playsinline "
            f"src='data:video/mp4;base64,{_text(film)}'></video><figcaption>{html.escape(caption)}</figcaption></figure>"
            for film, caption in pictures[kind]
        )
        parts.append(f"<div class='films'>{films}</div>")
    for kind, (title, meaning) in LOOKS.items():
        if pictures[kind]:
            image, caption = pictures[kind]
            parts.append(
                f"<h3>{title}</h3><figure><img alt='{kind}' src='data:image/png;base64,{_text(image)}'>"
                f"<figcaption>{meaning} {html.escape(caption)}.</figcaption></figure>"
            )
    if said["curve"]:
        picture = _text(curve_picture(said["curve"], said["hint_steps"]))
        parts.append(f"<h3>Meta-training</h3><img alt='learning curve' src='data:image/png;base64,{picture}'>")
    parts.append(
        f"<p>Trained by <code>{html.escape(config['command'])}</code>: {config['minutes']:.0f} minutes on "
        f"{html.escape(config['machine'])}, {config['sets']} object sets, {config['steps']} meta-steps, seed "
        f"{config['seed']}.</p>"
    )
    return "".join(parts)


def predicted(row: str) -> str:
    """How often the right object is chosen, as it is said before anything is measured, without what is said besides."""
    return "as without" if row in MOVED else re.split("[;:]", PREDICTIONS[row])[0]


def confusion(rows: dict[str, dict[str, Any]]) -> str:
    """How often the second part of the goal was right, and which were taken for which."""
    kind = rows["human"]["aim"]
    parts = [f"<table><tr><th>shown</th><th>right {kind}</th><th>did what was shown</th></tr>"]
    for what, row in rows.items():
        parts.append(
            f"<tr><td>{html.escape(ROWS[what])}</td><td class='n'>{row[kind]:.3f}</td>"
            f"<td class='n'>{row['as_shown']:.3f}</td></tr>"
        )
    found = rows["human"][f"{kind}s"]
    done = "".join(f"<th>{html.escape(name)}</th>" for name in next(iter(found.values())))
    title = f"{kind.capitalize()}s after a human's video: asked, and done"
    parts.append(f"</table><h3>{title}</h3><table><tr><th></th>{done}</tr>")
    for asked, counts in found.items():
        numbers = "".join(f"<td class='n'>{count}</td>" for count in counts.values())
        parts.append(f"<tr><td>{html.escape(asked)}</td>{numbers}</tr>")
    return "".join([*parts, "</table>"])


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
