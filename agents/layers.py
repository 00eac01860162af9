"""Pieces of networks as pure functions of named tensors."""

import torch
import torch.nn.functional as F
from torch import Tensor

from daml import Params


def init_linear(
    params: Params, name: str, n_in: int, n_out: int, generator: torch.Generator, gain: float = 1.0
) -> None:
    """Adds `name.w` [n_out, n_in] (He et al. 2015, arXiv 1502.01852) and `name.b` [n_out] to `params`."""
    params[f"{name}.w"] = torch.randn(n_out, n_in, generator=generator) * gain * (2 / n_in) ** 0.5
    params[f"{name}.b"] = torch.zeros(n_out)


def init_conv(
    params: Params,
    name: str,
    n_in: int,
    n_out: int,
    kernel: tuple[int, ...],
    generator: torch.Generator,
    gain: float = 1.0,
) -> None:
    """Adds `name.w` [n_out, n_in, *kernel] and `name.b` [n_out] to `params`."""
    fan_in = n_in * int(torch.tensor(kernel).prod())
    params[f"{name}.w"] = torch.randn(n_out, n_in, *kernel, generator=generator) * gain * (2 / fan_in) ** 0.5
    params[f"{name}.b"] = torch.zeros(n_out)


def linear(params: Params, name: str, x: Tensor) -> Tensor:
    """[..., n_in] -> [..., n_out]."""
    return F.linear(x, params[f"{name}.w"], params[f"{name}.b"])


def conv2d(params: Params, name: str, x: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
    """[n, n_in, h, w] -> [n, n_out, ceil(h / stride), ceil(w / stride)]."""
    weight = params[f"{name}.w"]
    padding = dilation * (weight.shape[-1] // 2)
    return F.conv2d(x, weight, params[f"{name}.b"], stride, padding, dilation)


def conv1d(params: Params, name: str, x: Tensor) -> Tensor:
    """Over the last axis, "same" size for odd kernels: [n, n_in, t] -> [n, n_out, t]."""
    weight = params[f"{name}.w"]
    return F.conv1d(x, weight, params[f"{name}.b"], padding=weight.shape[-1] // 2)


def with_place(x: Tensor) -> Tensor:
    """A feature map [n, channels, h, w], and at every cell where it is (x, y): [n, channels + 2, h, w]."""
    n, _, h, w = x.shape
    place = grid(h, w, like=x).T.reshape(1, 2, h, w).expand(n, -1, -1, -1)
    return torch.cat([x, place], 1)


def grid(height: int, width: int, like: Tensor) -> Tensor:
    """Centres of the cells of a feature map as (x, y) in [-1, 1], [height * width, 2]."""
    y = (torch.arange(height, device=like.device, dtype=like.dtype) + 0.5) / height * 2 - 1
    x = (torch.arange(width, device=like.device, dtype=like.dtype) + 0.5) / width * 2 - 1
    return torch.stack(torch.broadcast_tensors(x[None], y[:, None]), -1).reshape(-1, 2)
