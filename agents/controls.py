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
PREDICTIONS = {
    "human": "nearly always",
    "wrong": "nearly never: it goes where the video points",
    "wrong-object": "nearly never; the right verb or container nearly always",
    "wrong-verb": "nearly always; the right verb nearly never",
    "wrong-container": "nearly always; the right container nearly never",
    "blank": "1/3, exactly",
    "shuffled": "at least 1/3",
    "reversed": "no prediction",
    "first": "1/3, exactly",
    "middle": "at least 1/3",
    "last": "at least 1/3",
    "first-half": "at least 1/3; in Sort nearly always, and the right container at most 1/3",
    "second-half": "at least 1/3; in Sort the right container nearly always",
    "robot": "no prediction: it was only ever shown humans",
    "told": "nearly always",
    "none": "1/3, exactly",
}
"""The same -> how often the right object is chosen, said before anything is measured."""
CONTROLS = ("human", "wrong", "wrong-object", "wrong-verb", "wrong-container", "blank", "none", "robot")
"""What a policy is shown when it has been trained, where there is that; `daml sweep controls` has more."""
