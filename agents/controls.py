"""What a policy can be shown instead of the right video, in words."""

MEANINGS = {
    "human": "a human doing it",
    "wrong": "a human doing another task of the set",
    "wrong-object": "a human doing it to another object",
    "wrong-verb": "a human doing something else to the object",
    "wrong-container": "a human putting the object into another container",
    "blank": "grey frames",
    "shuffled": "the right video, frames shuffled",
    "reversed": "the right video, backwards",
    "first": "its first frame only",
    "middle": "its middle frame only",
    "last": "its last frame only",
    "first-half": "its first half only",
    "second-half": "its second half only",
    "robot": "the robot doing it, where the human would",
    "told": "the right video, and where the goal is",
    "none": "nothing (no adaptation)",
}
"""All of `agents.evaluation.SHOWN`."""
CONTROLS = ("human", "wrong", "wrong-object", "wrong-verb", "wrong-container", "blank", "none", "robot")
"""What a policy is shown when it has been trained, where there is that; `daml sweep controls` has more."""
