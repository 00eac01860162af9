"""The core of meta-learning: what adapts, on which loss, by which rule. It knows tasks, never robots or videos."""

from daml.adapt import adapt, trajectory
from daml.checkpoint import load, load_state, resume, save, save_state
from daml.distributed import ALONE, Team, joined
from daml.errors import CheckpointError, DamlError, MetaLearningError, ModuleError, ProcessError
from daml.fit import fit
from daml.logs import JsonlLog, TensorboardLog, read_log, tee
from daml.losses import learned, supervised
from daml.lstm import init_lstm, lstm_rule
from daml.meta_step import TrainState, can_compile, compiled, loop_tasks, meta_grad, meta_loss, meta_step, vmap_tasks
from daml.rules import first_order, gradient_descent
from daml.types import (
    Example,
    InnerLoss,
    MapTasks,
    MetaLearner,
    MetaParams,
    OuterLoss,
    Params,
    Rule,
    Task,
    TaskDistribution,
)

__all__ = [
    "ALONE",
    "CheckpointError",
    "DamlError",
    "Example",
    "InnerLoss",
    "JsonlLog",
    "MapTasks",
    "MetaLearner",
    "MetaLearningError",
    "MetaParams",
    "ModuleError",
    "OuterLoss",
    "Params",
    "ProcessError",
    "Rule",
    "Task",
    "TaskDistribution",
    "Team",
    "TensorboardLog",
    "TrainState",
    "adapt",
    "can_compile",
    "compiled",
    "first_order",
    "fit",
    "gradient_descent",
    "init_lstm",
    "joined",
    "learned",
    "load",
    "load_state",
    "loop_tasks",
    "lstm_rule",
    "meta_grad",
    "meta_loss",
    "meta_step",
    "read_log",
    "resume",
    "save",
    "save_state",
    "supervised",
    "tee",
    "trajectory",
    "vmap_tasks",
]
