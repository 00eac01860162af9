"""Checkpoints: one safetensors file, metadata as JSON in its header, a digest over both. Never pickle.

One file, because one file can be replaced atomically: after a crash there is the old checkpoint or the new one.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from daml.errors import CheckpointError
from daml.files import beside
from daml.meta_step import TrainState, named_tensors

SEPARATOR = "/"
HEADER = "daml"
"""The one entry of the file's header: digest, newline, metadata. Several entries would come in random order."""


def save(path: Path | str, tensors: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
    """Write tensors and metadata to one file, atomically.

    Args:
        path: the file; its folder must exist.
        tensors: nested dict of tensors; no key is empty or holds the separator. Empty dicts are not kept.
        metadata: anything JSON can hold.

    Raises:
        CheckpointError: a key, a value or the metadata cannot be stored, or the file cannot be written.
    """
    path = Path(path)
    flat = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in flatten(tensors).items()}
    try:
        text = json.dumps(metadata or {}, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError("metadata of a checkpoint", error, "what JSON can hold") from error
    try:
        with beside(path) as part:
            save_file(flat, part, {HEADER: f"{digest(flat, text)}\n{text}"})
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"writing {path}", error, "a writable file in an existing folder") from error


def load(path: Path | str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what `save` wrote.

    Returns:
        The nested dict of tensors, on the CPU, and the metadata.

    Raises:
        CheckpointError: there is no such file, or it is not exactly what `save` wrote.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError("checkpoint", f"no file at {path}", "a file written by daml.checkpoint.save")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise CheckpointError(f"content of {path}", error, "a complete safetensors file") from error
    stored, _, text = header.get(HEADER, "").partition("\n")
    if stored != digest(flat, text):
        raise CheckpointError(f"content of {path}", "a missing or different digest", "an undamaged checkpoint")
    return unflatten(flat), json.loads(text)


def save_state(path: Path | str, state: TrainState, metadata: dict[str, Any] | None = None) -> None:
    """Write meta-parameters, the optimiser's tensors and the step; `metadata` is the caller's.

    Raises:
        CheckpointError: as `save`, or the optimiser keeps something that is not a tensor.
    """
    kept = state.optimizer.state_dict()["state"]
    optimizer = {str(index): {key: value for key, value in kept[index].items() if value is not None} for index in kept}
    save(path, {"meta": state.meta, "optimizer": optimizer}, description(state) | {"caller": metadata or {}})


def load_state(path: Path | str, state: TrainState) -> dict[str, Any]:
    """Continue from a checkpoint: fill `state` in place, bit by bit what `save_state` saw.

    The hyper-parameters of the optimiser (learning rate, betas) are not in the file; they are those of `state`.

    Returns:
        The caller's metadata.

    Raises:
        CheckpointError: the file cannot be read or does not fit; `state` is then unchanged.
    """
    tensors, metadata = load(path)
    for key, wanted in description(state).items():
        got = metadata.get(key)
        if key != "step" and got != wanted:
            raise CheckpointError(f"{key} of {path}", differing(got, wanted), differing(wanted, got))
    with torch.no_grad():
        for (group, name), tensor in named_tensors(state.meta):
            tensor.copy_(tensors["meta"][group][name])
    kept = {int(index): values for index, values in tensors.get("optimizer", {}).items()}
    state.optimizer.load_state_dict({"state": kept, "param_groups": state.optimizer.state_dict()["param_groups"]})
    state.step = metadata["step"]
    return metadata["caller"]


def resume(state: TrainState, path: Path) -> None:
    """Fill a fresh state from a checkpoint, if there is one.

    Raises:
        CheckpointError: as `load_state`.
    """
    if path.exists():
        load_state(path, state)


def description(state: TrainState) -> dict[str, Any]:
    """What a checkpoint and the state it is loaded into must agree on (and the step, which they need not)."""
    indices = {
        id(tensor): index
        for index, tensor in enumerate(tensor for group in state.optimizer.param_groups for tensor in group["params"])
    }
    names = {SEPARATOR.join(key): tensor for key, tensor in named_tensors(state.meta)}
    return {
        "step": state.step,
        "meta": {name: signature(tensor) for name, tensor in names.items()},
        "optimizer": type(state.optimizer).__name__,
        "learned": {name: indices[id(tensor)] for name, tensor in names.items() if id(tensor) in indices},
    }


def differing(one: Any, other: Any) -> str:
    """What `one` says otherwise than `other`: of dicts only those entries, to keep the message short."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return str(one)
    return str({key: one.get(key) for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)})


def signature(tensor: Tensor) -> str:
    """Type and shape, to compare and to print."""
    return f"{tensor.dtype}{list(tensor.shape)}"


def flatten(nested: dict[str, Any], prefix: str = "") -> dict[str, Tensor]:
    """{"a": {"b": tensor}} -> {"a/b": tensor}.

    Raises:
        CheckpointError: a key is no non-empty string without separator, or a leaf is not a tensor.
    """
    flat: dict[str, Tensor] = {}
    for key, value in nested.items():
        if not isinstance(key, str) or not key or SEPARATOR in key:
            raise CheckpointError("key of a checkpoint", repr(key), f"a non-empty string without {SEPARATOR!r}")
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}{SEPARATOR}")
        elif isinstance(value, Tensor):
            flat[f"{prefix}{key}"] = value
        else:
            raise CheckpointError(f"value of {prefix}{key}", type(value).__name__, "a tensor or a dict of tensors")
    return flat


def unflatten(flat: dict[str, Tensor]) -> dict[str, Any]:
    """The inverse of `flatten`."""
    nested: dict[str, Any] = {}
    for name, tensor in flat.items():
        *parents, key = name.split(SEPARATOR)
        folder = nested
        for parent in parents:
            folder = folder.setdefault(parent, {})
        folder[key] = tensor
    return nested


def digest(flat: dict[str, Tensor], text: str) -> str:
    """SHA-256 over the metadata and over name, type, shape and bytes of every tensor."""
    sha = hashlib.sha256(text.encode())
    for name, tensor in sorted(flat.items()):
        sha.update(f"\n{name}\n{signature(tensor)}\n".encode())
        sha.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return sha.hexdigest()
