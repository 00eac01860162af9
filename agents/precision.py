"""What all tasks share in half of the bits, where the machine computes faster so: the trunk's convolutions are most of
a meta-step.

The parameters, the adapted part, its second-order gradient and the optimiser stay in float32; policies act in float32.
"""

import torch
from torch.utils import _pytree as pytree

from agents.imitation import device_of
from daml import MetaLearner, MetaParams, Task

HALF = torch.bfloat16


def is_fast(device: torch.device) -> bool:
    """Whether a device has instructions of its own for products of bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    said = torch.cpu.get_capabilities()
    return bool(said.get("avx512_bf16") or said.get("amx_bf16"))


def mixed(learner: MetaLearner) -> MetaLearner:
    """The same learner, which encodes in mixed precision where that is fast. Float64 stays what it is."""

    def encode(meta: MetaParams, tasks: Task) -> Task:
        device = device_of(meta)
        with torch.autocast(device.type, HALF, enabled=is_fast(device)):
            encoded = learner.encode(meta, tasks)
        return pytree.tree_map(lambda leaf: leaf.float() if leaf.dtype == HALF else leaf, encoded)

    return learner._replace(encode=encode)
