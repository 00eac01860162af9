"""Rows of a dataset as tensors on a device: from its own memory where that holds them all, else from the disk."""

import numpy as np
import torch
from torch import Tensor

from demos.storage import Dataset

SHARE = 0.5
"""Of a device's free memory that a dataset may take."""


class Rows:
    """Takes rows of a dataset's arrays."""

    def __init__(self, dataset: Dataset, device: torch.device, *, resident: bool | None = None) -> None:
        """
        Args:
            dataset: complete.
            device: of the tensors.
            resident: whether the arrays that are asked for are kept on the device; as far as its memory allows when
                None, and never in the memory of the CPU, where the disk's cache is as good.
        """
        self._dataset, self._device, self._kept = dataset, device, dict[str, Tensor]()
        self._resident = fits(dataset, device) if resident is None else resident

    def take(self, name: str, *at: np.ndarray) -> Tensor:
        """The rows of an array at integer indices of its first axes, which are broadcast: a new tensor."""
        if self._resident:
            return self._on_device(name)[tuple(torch.from_numpy(index).to(self._device) for index in at)]
        rows = torch.from_numpy(np.ascontiguousarray(self._dataset[name][at]))
        return rows.pin_memory().to(self._device, non_blocking=True) if self._device.type == "cuda" else rows

    def _on_device(self, name: str) -> Tensor:
        """A whole array, copied when it is first asked for, set by set: the copy is not in memory twice."""
        if name not in self._kept:
            array = self._dataset[name]
            kept = torch.empty(array.shape, dtype=torch.from_numpy(np.empty(0, array.dtype)).dtype, device=self._device)
            for index, rows in enumerate(array):
                kept[index] = torch.from_numpy(np.array(rows))
            self._kept[name] = kept
        return self._kept[name]


def fits(dataset: Dataset, device: torch.device) -> bool:
    """Whether a device with memory of its own has enough of it for all arrays of a dataset."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return sum(dataset[name].nbytes for name in dataset.info.arrays()) <= SHARE * free
