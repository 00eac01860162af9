"""The method, its variants and what it is compared with: one file each, which names its source.

head        what most of them share: one trunk for all tasks, a head that adapts
temporal    the learned loss runs along the video and sees the policy look at it
fast        the learned loss proposes a place, too
both        a proposal says to which object, the temporal loss how the task ends there
precise     `fast`, exact to the centimetre; and the same policy on the loss of `temporal`
looking     `precise`, `both` and `temporal`, which look at every step
handed      `looking`, and through the camera in the hand
paper       the published network and loss, literally
mil         adapts to the robot's own demonstration, with its actions
pointer     reads the proposal of `fast` out, without a gradient
attention   cross-attention from the robot's image to the video, nothing adapts
contrastive  `attention`, and videos that are told apart
replay      finds a demonstration by the video, and does it again at another place
conditioning  an embedding of the video goes into the policy, nothing adapts
ablations   one part of the method taken away or replaced
"""
