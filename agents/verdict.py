"""What a robot did, and what a policy has seen in a video, in words."""

import numpy as np

from agents.attention import has_attention
from agents.choice import attention_on_objects
from agents.imitation import Policy
from agents.methods.both import END_SCALE, FINGERTIP
from demos.types import Episode
from envs.acting import DIRECTIONS, LIFT_HEIGHT, NOTHING, PUSH_DISTANCE, TOUCH_DISTANCE, VERBS
from envs.objects import ObjectSpec
from envs.reaching import SUCCESS_DISTANCE
from envs.scene import REACHING, Scene

ORDERS = {
    "touch": ("touch {}", "touched {}"),
    "push-left": ("push {} to the left", "pushed {} to the left"),
    "push-right": ("push {} to the right", "pushed {} to the right"),
    "push-away": ("push {} away", "pushed {} away"),
    "lift": ("lift {}", "lifted {}"),
}
"""Verb -> as an order, and as what was done."""
FAR = 0.03
"""Fingers that are to end this far from the top of an object have pushed or lifted it; nearer ones touch it [m]."""
NO_WAY = 0.005
"""An object that has come no further than this has not been moved at all [m]."""


def called(thing: ObjectSpec) -> str:
    """An object, such as "the red cube" or "the red dots cube"."""
    return "the " + thing.in_words.replace(" plain ", " ")


def in_words(thing: ObjectSpec, verb: int) -> str:
    """A verb of `daml/Act-v0` and its object, as an order."""
    return ORDERS[VERBS[verb]][0].format(called(thing))


def did(thing: ObjectSpec, verb: int) -> str:
    """The same, as what was done."""
    return ORDERS[VERBS[verb]][1].format(called(thing))


def verdict(scene: Scene, episode: Episode) -> str:
    """What a robot did in a scene whose goal is what it was shown, by what the environment measured at the end."""
    if scene.layout.aims:
        return _acted(scene, episode)
    thing, cm = called(scene.objects[scene.goal]), 100 * episode.distance
    if not episode.right_object:
        return f"went to another object, not to {thing}"
    if scene.layout != REACHING:
        return f"did it to {thing}: as shown" if episode.success else f"went to {thing}, but did not do it to the end"
    if episode.success:
        return f"reached {thing}: as shown"
    if episode.distance <= SUCCESS_DISTANCE:
        return f"reached {thing}, but too late to stay there"
    return f"went to {thing}, but stopped {cm:.0f} cm from it: {100 * SUCCESS_DISTANCE:.0f} count"


def _acted(scene: Scene, episode: Episode) -> str:
    """The same in `daml/Act-v0`."""
    goal, asked = scene.objects[scene.goal], scene.aim
    if episode.success:
        return f"{did(goal, asked)}: as shown"
    if not episode.right_object:
        done = episode.goal_done
        if done is None or done == NOTHING:
            return f"went to another object, not to {called(goal)}"
        other, verb = scene.layout.goal_parts(done)
        return f"{did(scene.objects[other], verb)}, not {called(goal)}"
    if episode.aim == asked:
        alone = episode.goal_done == scene.layout.goal_number(scene.goal, asked)
        return f"{did(goal, asked)}, but " + ("only at the very end" if alone else "moved another object, too")
    if episode.aim != NOTHING:
        return f"{did(goal, int(episode.aim or 0))}, but was to {ORDERS[VERBS[asked]][0].format('it')}"
    return _unfinished(goal, VERBS[asked], episode.distance)


def _unfinished(goal: ObjectSpec, verb: str, left: float) -> str:
    """What a robot did that is nothing whole. left: to do [m]."""
    thing = called(goal)
    if verb == "touch":
        if left <= TOUCH_DISTANCE:
            return f"came to {thing}, but moved it, or went down beside it"
        return f"ended {100 * left:.0f} cm from the top of {thing}: {100 * TOUCH_DISTANCE:.0f} count"
    whole = LIFT_HEIGHT if verb == "lift" else PUSH_DISTANCE
    moved = ORDERS[verb][1].format(thing)
    if left > whole - NO_WAY:
        return f"did nothing: {thing} is where it was" if verb != "lift" else f"did not get hold of {thing}"
    if left:
        enough = "high enough" if verb == "lift" else "far enough"
        return f"{moved}, but not {enough}: {100 * (whole - left):.0f} of {100 * whole:.0f} cm"
    return f"{moved}, but lost hold of it" if verb == "lift" else f"{moved}, but not straight"


def seen(policy: Policy, env_id: str, scene: Scene) -> str:
    """What a policy has seen in the video that it has adapted to, as far as it can be read from the policy itself.

    That is where its attention lies in the scene in which it is to act, and, of a policy that has one, its adapted
    `end` (`agents.methods.both`): where its fingers are to be at last. A policy has no words; these are ours.
    """
    if not has_attention(policy):
        return "This policy has no attention to read: what it saw shows when it acts."
    on = attention_on_objects(policy, env_id, scene)
    thing, share = scene.objects[int(on.argmax())], f"{100 * on.max():.0f} % of its attention is on that"
    way = way_at_end(policy)
    if way is None or scene.layout.aims is None:
        return f"It saw **{called(thing)}**: {share}."
    return f"It saw **{in_words(thing, verb_of(way))}**: {share}, and its fingers are to end {_told(way)}."


def way_at_end(policy: Policy) -> np.ndarray | None:
    """Where the fingertips are to end, from the middle of the object's top as it stands at first: [3] [m]; None of a
    policy that does not say."""
    size, sizes = policy.imitator.size, policy.imitator.sizes
    outputs = policy.outputs(policy.look(np.zeros((size, size, 3), np.uint8)), np.zeros(sizes.state, np.float32))
    if "end" not in outputs:
        return None
    return END_SCALE * outputs["end"][FINGERTIP].cpu().numpy() * sizes.units.point.spread


def verb_of(way: np.ndarray) -> int:
    """Index of the verb after which fingertips are [3] [m] from the middle of the top of an object, as it was."""
    if way[2] > FAR:
        return VERBS.index("lift")
    along = {name: float(way[:2] @ direction) for name, direction in DIRECTIONS.items()}
    name = max(along, key=lambda each: along[each])
    return VERBS.index(name if along[name] > FAR else "touch")


def _told(way: np.ndarray) -> str:
    """A way [3] [m] in words, as the human sees it: only what is 1 cm or more."""
    names = (("nearer", "further away"), ("further right", "further left"), ("higher", "lower"))
    parts = [
        f"{abs(100 * far):.0f} cm {more if far > 0 else less}"
        for far, (more, less) in zip(way, names, strict=True)
        if abs(far) >= 0.01
    ]
    return ", ".join(parts) + " than its top was" if parts else "on its top"
