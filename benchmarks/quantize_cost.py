"""What quantisation-aware training costs: a step of it against a step of float training.

    python benchmarks/quantize_cost.py [--input-size 224] [--batch-size 32] [--steps 8]

Float, ASQ, DoReFa and ASQ with 8-bit feature maps take turns, step by step, so that other load on the
machine hits all alike; the medians are compared. Also times the operators alone against the plain
composition of broadcasting and reductions. Result: runs/quantize_cost/metrics.json.
"""

import statistics
import time
from pathlib import Path

from gluon_etinynet import cli
from gluon_etinynet._mxnet import mx
from gluon_etinynet.cli import progress, table
from gluon_etinynet.files import write_json
from gluon_etinynet.model_zoo import get_model
from gluon_etinynet.quantities import BATCH, COUNT, SIDE
from gluon_etinynet.quantize.operators import asq, dorefa
from gluon_etinynet.quantize.qat import prepare_qat
from gluon_etinynet.quantize.ranges import calibrate

WARM_UP = 2


def main():
    parser = cli.Parser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="etinynet1.0")
    parser.add_argument("--input-size", type=SIDE, default=224)
    parser.add_argument("--batch-size", type=BATCH, default=32)
    parser.add_argument("--steps", type=COUNT, default=8)
    parser.add_argument("--save-dir", default="runs/quantize_cost")
    arguments = parser.parse_args()
    x = mx.nd.random.randint(-128, 128, (arguments.batch_size, 3, arguments.input_size, arguments.input_size))
    steps = {name: training_step(arguments.model, x.astype("float32"), options) for name, options in (
        ("float", None), ("asq", {"scheme": "asq"}), ("dorefa", {"scheme": "dorefa"}),
        ("asq, 8-bit maps", {"scheme": "asq", "act_bits": 8}))}
    seconds = medians(steps, arguments.steps)
    operators = {"asq": asq, "asq, plain": plain_asq, "dorefa": lambda weight, lam: dorefa(weight)}
    milliseconds = medians({name: operator_step(f) for name, f in operators.items()}, 5 * arguments.steps)
    row = f"{arguments.model}, {arguments.input_size} px, batch {arguments.batch_size}"
    found = [(row, f"step, {name}, over float", round(value / seconds["float"], 3))
             for name, value in seconds.items() if name != "float"]
    found += [(row, "step, float, seconds", round(seconds["float"], 4))]
    found += [("512x256 weights, forward and backward", f"{name}, ms", round(1000 * value, 2))
              for name, value in milliseconds.items()]
    header = ["row", "quantity", "value"]
    print(table(header, found))
    write_json(Path(arguments.save_dir) / "metrics.json", {"costs": [dict(zip(header, cost)) for cost in found]})


def training_step(model, x, options):
    """A function that makes one step of SGD with momentum, and the loss to wait for."""
    net = get_model(model)
    net.initialize(mx.init.MSRAPrelu(factor_type="in", slope=0))
    net(x[:1])
    if options is not None:
        prepare_qat(net, **options)
        if "act_bits" in options:
            calibrate(net, [x])
    net.hybridize(static_alloc=True, static_shape=True)
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1e-4, "momentum": 0.9})
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    labels = mx.nd.arange(len(x))

    def step():
        with mx.autograd.record():
            loss = loss_of(net(x), labels)
        loss.backward()
        trainer.step(len(x))
        mx.nd.waitall()

    return step


def plain_asq(weight, lam):
    """Equation 6 as one would write it first."""
    centred = mx.nd.broadcast_sub(weight, mx.nd.mean(weight).reshape((1, 1, 1, 1)))
    deviation = mx.nd.sqrt(mx.nd.mean(mx.nd.square(centred)) + 1e-5)
    squashed = mx.nd.tanh(mx.nd.broadcast_div(weight, (lam * deviation).reshape((1, 1, 1, 1))))
    largest = mx.nd.max(mx.nd.abs(squashed)).reshape((1, 1, 1, 1))
    return mx.nd.contrib.round_ste(mx.nd.broadcast_div(squashed, largest) * 7) / 7


def operator_step(operator):
    weight, lam = mx.nd.random.normal(0, 0.05, (512, 256, 1, 1)), mx.nd.array([2])
    weight.attach_grad()
    lam.attach_grad()

    def step():
        with mx.autograd.record():
            out = operator(weight, lam)
        out.backward()
        mx.nd.waitall()

    return step


def medians(steps, count):
    times = {name: [] for name in steps}
    for _ in progress(range(count + WARM_UP)):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values[WARM_UP:]) for name, values in times.items()}


if __name__ == "__main__":
    cli.run(main)
