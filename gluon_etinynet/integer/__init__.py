"""The integer half: Graph, interpreter, packing, memory planner. numpy and the standard library only.

The arithmetic is stated in docs/numerics.md.
"""

from .detect import Detection, Level
from .graph import Graph, Node, QuantParams, Tensor, accumulator_bound
from .interpreter import Difference, first_difference, pixels_to_input, run, trace
from .memory import SCHEDULES, Buffer, Plan, Step, plan
from .packing import pack, unpack, weight_limit
from .requantise import RequantiseParams, requantise_params
from .stages import stages

__all__ = ["Graph", "Node", "QuantParams", "Tensor", "accumulator_bound", "run", "trace", "pixels_to_input",
           "first_difference", "Difference", "SCHEDULES", "Buffer", "Plan", "Step", "plan", "stages", "pack",
           "unpack", "weight_limit", "RequantiseParams", "requantise_params", "Detection", "Level"]
