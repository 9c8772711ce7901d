"""Draw figures 3 and 4 of the paper for any checkpoint and layer, and two of our own.

    python benchmarks/histograms.py --params FILE --figure 3
    python benchmarks/histograms.py --params FILE --list-layers
    python benchmarks/histograms.py --params FILE --figure 4 --layer features.3.1.pw --bits 3

Figure 3: a layer's weights before and after DoReFa. Figure 4: ASQ's re-scaled weights for several
lambda, and J and E against lambda. `layers`: DoReFa and ASQ on every layer. `lambda`: the lambda that
each layer of a quantised checkpoint has learned, with its J and E. Each is written as PNG and SVG with
its numbers as CSV beside it, and metrics.json holds what the paper states about figures 3 and 4.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gluon_etinynet import cli
from gluon_etinynet._mxnet import mx
from gluon_etinynet.cli import table
from gluon_etinynet.files import InputError, atomic_path, sha256, write_csv, write_json
from gluon_etinynet.model_zoo import RELEASES, released_checkpoint
from gluon_etinynet.networks.parameters import read_checkpoint
from gluon_etinynet.quantize.operators import asq, asq_clamp, asq_steps, dorefa, dorefa_clamp, dorefa_steps
from gluon_etinynet.quantize.statistics import entropy, quantisation_error

# The paper's names for pointwise layers, which are those of the authors' code, and our names.
PAPER_LAYERS = {"layer1.4": "features.1.0.pw", "layer3.2": "features.4.2.pw"}
LAMBDAS = (1, 2, 3, 4, 5)  # of figure 4
VALID_SHARE = 0.001  # of the weights: a level that holds fewer is not counted as one in use
DENSE_LAMBDAS = np.arange(0.5, 5.51, 0.25)

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8A8A8A"
LAMBDA_COLOURS = ("#0B2C4D", "#15689F", "#2FA3A5", "#E69F00", "#D55E00")
KINDS = {"dw": ("depthwise", BLUE, "o"), "pw": ("pointwise", ORANGE, "s")}
OTHER_KIND = ("stem and output", "#333333", "D")
STYLE = {"font.size": 8, "axes.titlesize": 8.5, "axes.labelsize": 8, "legend.fontsize": 7.5,
         "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.7,
         "lines.linewidth": 1.4, "xtick.major.width": 0.7, "ytick.major.width": 0.7, "savefig.dpi": 200,
         "svg.hashsalt": "gluon_etinynet", "figure.constrained_layout.use": True}


PAPER_QUANTITIES = {
    ("fig3", "layer1.4"): ("shape", "weights"),
    ("fig3", "layer3.2"): ("shape", "std"),
    ("fig3", "layer3.2 DoReFa"): ("zeros", "valid_levels", "total_levels"),
    ("fig4", "layer3.2"): ("std_trend", "j_trend", "entropy_trend"),
}
GRID = {"note": "on a grid of the same step with a level at zero; equation 5 has none"}
EXPLAINED = {
    "zeros": GRID, "valid_levels": GRID,
    "j_trend": {"differs": "rounding to steps of 1/7 costs 1/(12 x 49) for each weight, whatever lambda is"},
}


def parse_args():
    parser = cli.Parser(description=__doc__.split("\n")[0])
    parser.add_argument("--params", help="checkpoint to read (default: the released EtinyNet-1.0)")
    parser.add_argument("--figure", choices=["3", "4", "layers", "lambda"], help="draw only this one")
    parser.add_argument("--layer", action="append", help="layer1.4, layer3.2 (the paper's names) or a name of "
                        "--list-layers; figure 3 takes several, figure 4 the last one")
    parser.add_argument("--list-layers", action="store_true", help="print the checkpoint's layers and stop")
    parser.add_argument("--bits", type=int, default=4, choices=range(2, 9), help="of a weight (default: 4)")
    parser.add_argument("--save-dir", default="runs/histograms", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    path = args.params or released_checkpoint("etinynet1.0")
    arrays = read_checkpoint(path)
    layers = {name[:-len(".weight")]: array for name, array in arrays.items()
              if name.endswith(".weight") and array.ndim == 4}
    if not layers:
        raise InputError(f"{path} holds no convolution's weights; give a network's checkpoint")
    if args.list_layers:
        print(table(["layer", "shape", "std", "largest"],
                    [[name, shape_of(weight), f"{weight.std():.4f}", f"{np.abs(weight).max():.3f}"]
                     for name, weight in layers.items()]))
        return
    learned = {name: f"{name}.weight_quantiser.lam" for name in layers}
    lambdas = {name: arrays[lam] for name, lam in learned.items() if lam in arrays}
    wanted = [args.figure] if args.figure else ["3", "4", "layers"] + ["lambda"] * bool(lambdas)
    if "lambda" in wanted and not lambdas:
        raise InputError(f"{path} holds no lambda; --figure lambda needs a network quantised by ASQ")
    numbers = []
    out = Path(args.save_dir)
    plt.switch_backend("Agg")
    with plt.rc_context(STYLE):
        if "3" in wanted:
            chosen = [(name, weights_of(layers, name, path)) for name in args.layer or PAPER_LAYERS]
            numbers += figure3(chosen, args.bits, out)
        if "4" in wanted:
            name = (args.layer or ["layer3.2"])[-1]
            numbers += figure4(name, weights_of(layers, name, path), args.bits, out)
        if "layers" in wanted:
            figure_layers(layers, lambdas, args.bits, out)
        if "lambda" in wanted:
            figure_lambda(layers, lambdas, args.bits, out)
    write_json(out / "metrics.json", {"params": Path(path).name, "bits": args.bits, "numbers": numbers,
                                      "measurements": papers_own(numbers, path, args.bits)})
    if numbers:
        print(table(["figure", "layer", "quantity", "measured"], [number.values() for number in numbers]))
    print(f"Figures and numbers are in {out}")


def weights_of(layers, name, path):
    ours = PAPER_LAYERS.get(name, name)
    if ours not in layers:
        raise InputError(f"{path} has no layer {ours}; --list-layers prints its layers, --layer chooses one")
    return layers[ours]


def shape_of(weight):
    return "x".join(map(str, weight.shape))


def by_dorefa(weight, bits):
    """W~ and Q of DoReFa, both from -1 to 1."""
    array = mx.nd.array(weight)
    return dorefa_clamp(array).asnumpy(), dorefa(array, bits).asnumpy()


def by_asq(weight, lam, bits):
    """W~ and Q of ASQ; `lam` has one value, or one for each output channel."""
    array, lam = mx.nd.array(weight), mx.nd.array(np.atleast_1d(lam))
    per_channel = lam.size > 1
    return asq_clamp(array, lam, per_channel).asnumpy(), asq(array, lam, bits, per_channel).asnumpy()


def measurement(figure, row, quantity, value):
    return {"table": figure, "row": row, "quantity": quantity, "value": value}


def papers_own(numbers, path, bits):
    """Those numbers that the paper gives too; only of the released network at 4 bits are they comparable."""
    comparable = bits == 4 and sha256(path) == RELEASES["etinynet1.0"].sha256
    found = []
    for number in numbers:
        if number["quantity"] in PAPER_QUANTITIES.get((number["table"], number["row"]), ()):
            extra = dict(EXPLAINED.get(number["quantity"], {}), comparable=comparable)
            found.append(dict(number, **extra) if comparable else dict(number, comparable=False, note=Path(path).name))
    return found


def figure3(chosen, bits, out):
    """Histograms of W~ and of DoReFa's Q, both as shares of the weights in one step of Q.

    Equation 5 has no level at zero. The paper's text counts zeros, and its numbers are those of the same
    step with a level at zero: that is drawn and measured too.
    """
    a = dorefa_steps(bits)
    step = 2 / a
    fine = (np.arange(-4 * a - 4, 4 * a + 5) / 8) * step
    levels = np.arange(-a, a + 1, 2) / a
    centred_levels = np.arange(-(a // 2 + 1), a // 2 + 2) * step
    rows, measurements = [], []
    figure, axes = plt.subplots(1, len(chosen), figsize=(3.6 * len(chosen), 3.3), squeeze=False)
    for position, (axis, (name, weight)) in enumerate(zip(axes[0], chosen)):
        clamped, quantised = by_dorefa(weight, bits)
        original = np.histogram(clamped, fine)[0] / clamped.size
        indices = np.rint((quantised + 1) * a / 2).astype(int).ravel()
        shares = np.bincount(indices, minlength=a + 1) / quantised.size
        edges = np.append(centred_levels - step / 2, centred_levels[-1] + step / 2)
        centred = np.histogram(clamped, edges)[0] / clamped.size
        used, valid = np.count_nonzero(shares), int(np.sum(centred >= VALID_SHARE))
        beside_zero, zeros = shares[a // 2:a // 2 + 2].sum(), centred[a // 2 + 1]

        # A fine bin's share is drawn as if the bin were a whole step wide, so that all areas are equal.
        axis.bar(levels, shares, width=step * 0.9, color=ORANGE, alpha=0.45, linewidth=0,
                 label=f"Quan., equation 5: {used} of {a + 1} levels,\n{100 * beside_zero:.0f} % of weights at "
                       f"$\\pm${step / 2:.3f}")
        axis.stairs(original * 8, fine, fill=True, color=BLUE, alpha=0.75, linewidth=0, label="Ori.")
        axis.stairs(centred, edges, color="black", linewidth=0.8, linestyle=(0, (2, 1)),
                    label=f"Quan., with a level at 0: {100 * zeros:.0f} % there,\n{valid} levels hold "
                          f"{100 * VALID_SHARE:g} % of weights or more")
        axis.set(xlim=(-1 - step / 2, 1 + step / 2), xticks=(-1, -0.5, 0, 0.5, 1),
                 xlabel=r"$\tanh(W)\,/\,\max|\tanh(W)|$ and $Q$",
                 title=f"({chr(97 + position)}) {name}, {shape_of(weight)}, std {weight.std():.3f}")
        axis.legend(loc="upper left", bbox_to_anchor=(0, -0.2), handlelength=1.4, labelspacing=0.4,
                    borderaxespad=0, fontsize=7)
        for kind, places, values in (("Ori.", fine[:-1] + step / 16, original), ("Quan.", levels, shares),
                                     ("Quan. with a level at 0", centred_levels, centred)):
            rows += [[name, kind, f"{place:.6g}", f"{value:.6g}"] for place, value in zip(places, values)]
        scheme = f"{name} DoReFa"
        measurements += [measurement("fig3", name, "shape", shape_of(weight)),
                         measurement("fig3", name, "weights", int(weight.size)),
                         measurement("fig3", name, "std", round(float(weight.std()), 4)),
                         measurement("fig3", scheme, "total_levels", a + 1),
                         measurement("fig3", scheme, "step", f"2/{a}"),
                         measurement("fig3", scheme, "zeros", round(100 * float(zeros), 1)),
                         measurement("fig3", scheme, "valid_levels", valid),
                         measurement("fig3", scheme, "levels_by_equation_5", int(used)),
                         measurement("fig3", scheme, "beside_zero_by_equation_5",
                                     round(100 * float(beside_zero), 1)),
                         measurement("fig3", scheme, "entropy", round(entropy(quantised), 3))]
    axes[0, 0].set_ylabel("share of the weights for each step of $Q$")
    save(figure, out / "fig3")
    write_csv(out / "fig3.csv", ["layer", "distribution", "position", "share"], rows)
    return measurements


def figure4(name, weight, bits, out):
    """ASQ's W~ for lambda 1 to 5; J and E against lambda."""
    edges = np.linspace(-1, 1, 26)
    centres = (edges[:-1] + edges[1:]) / 2
    results = {lam: by_asq(weight, lam, bits) for lam in sorted(set(LAMBDAS) | set(DENSE_LAMBDAS.tolist()))}
    spread = {lam: float(clamped.std()) for lam, (clamped, _) in results.items()}
    j = {lam: quantisation_error(*pair) for lam, pair in results.items()}
    e = {lam: entropy(quantised) for lam, (_, quantised) in results.items()}
    histograms = {lam: np.histogram(results[lam][0], edges)[0] / weight.size for lam in LAMBDAS}

    figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.5), gridspec_kw={"width_ratios": [1.6, 1, 1]})
    for lam, colour in zip(LAMBDAS, LAMBDA_COLOURS):
        axes[0].plot(centres, histograms[lam], color=colour, label=rf"$\lambda$ = {lam}")
    axes[0].set(xlim=(-1, 1), ylim=(0, None), xlabel=r"re-scaled weight $\widetilde{W}$", ylabel="frequency",
                title=f"(a) {name}, {shape_of(weight)}")
    axes[0].legend(loc="upper left", handlelength=1.3, labelspacing=0.25, borderaxespad=0)
    panels = ((axes[1], j, "quantisation error $J$", "b"), (axes[2], e, "entropy $E$ (nat)", "c"))
    for axis, values, label, letter in panels:
        axis.plot(list(values), list(values.values()), color=GREY, linewidth=1, zorder=1)
        axis.scatter(LAMBDAS, [values[lam] for lam in LAMBDAS], c=LAMBDA_COLOURS, s=22, zorder=2)
        axis.set(xlabel=r"$\lambda$", ylabel=label, xticks=LAMBDAS, title=f"({letter}) {label.split(' $')[0]}")
    axes[1].set_ylim(0, 1.15 * max(j.values()))
    levels = 2 * asq_steps(bits) + 1
    draw_line(axes[2], np.log(levels), f"ln {levels}")
    save(figure, out / "fig4")
    write_csv(out / "fig4.csv", ["lambda", "spread", "J", "E", "levels_used"], [
        [f"{lam:g}", f"{spread[lam]:.6g}", f"{j[lam]:.6g}", f"{e[lam]:.6g}", len(np.unique(results[lam][1]))]
        for lam in results])
    write_csv(out / "fig4_histograms.csv", ["position"] + [f"lambda_{lam}" for lam in LAMBDAS], [
        [f"{centre:.6g}"] + [f"{histograms[lam][i]:.6g}" for lam in LAMBDAS] for i, centre in enumerate(centres)])
    found = [measurement("fig4", name, "lambdas", ", ".join(map(str, LAMBDAS)))]
    for quantity, values, digits in (("std", spread, 3), ("j", j, 1), ("entropy", e, 3)):
        found.append(measurement("fig4", name, f"{quantity}_trend", trend([values[lam] for lam in LAMBDAS])))
        found += [measurement("fig4", name, f"{quantity}_at_{lam}", round(values[lam], digits)) for lam in LAMBDAS]
    return found


def draw_line(axis, height, label):
    """A level to compare with, named on the right of the axes."""
    axis.axhline(height, color=GREY, linewidth=0.7, linestyle=":")
    axis.text(1.01, height, label, transform=axis.get_yaxis_transform(), va="center", fontsize=7, color=GREY)


def trend(values):
    """``flat`` below 5 % of change in all, else ``falls`` or ``rises`` if every step does, else ``mixed``."""
    steps = np.diff(values)
    if np.ptp(values) < 0.05 * np.max(np.abs(values)):
        return "flat"
    return "falls" if (steps < 0).all() else "rises" if (steps > 0).all() else "mixed"


def kind_of(layer):
    return KINDS.get(layer.rsplit(".", 1)[-1][:2], OTHER_KIND)


def label_layers(axis, names):
    axis.set_xticks(range(len(names)))
    axis.set_xticklabels([name.replace("features.", "") for name in names], rotation=90, fontsize=6)
    axis.set_xlim(-0.8, len(names) - 0.2)


def figure_layers(layers, lambdas, bits, out):
    """J for each weight and E of both schemes, for every layer."""
    names = list(layers)
    schemes = {"DoReFa": [by_dorefa(layers[name], bits) for name in names],
               "ASQ": [by_asq(layers[name], lambdas.get(name, 2), bits) for name in names]}
    j = {scheme: [quantisation_error(*pair) / pair[0].size / np.mean(np.square(pair[0], dtype=np.float64))
                  for pair in pairs] for scheme, pairs in schemes.items()}
    e = {scheme: [entropy(quantised) for _, quantised in pairs] for scheme, pairs in schemes.items()}
    used = {scheme: [len(np.unique(quantised)) for _, quantised in pairs]
            for scheme, pairs in schemes.items()}
    labels = {"DoReFa": "DoReFa", "ASQ": r"ASQ, learned $\lambda$" if lambdas else r"ASQ, $\lambda$ = 2"}

    figure, axes = plt.subplots(2, 1, figsize=(7.2, 4.2), sharex=True)
    positions = np.arange(len(names))
    for axis, values in zip(axes, (e, j)):
        axis.vlines(positions, values["DoReFa"], values["ASQ"], color="#C8C8C8", linewidth=1.2, zorder=1)
        for scheme, colour, marker in (("DoReFa", ORANGE, "s"), ("ASQ", BLUE, "o")):
            axis.scatter(positions, values[scheme], color=colour, marker=marker, s=16, zorder=2,
                         label=labels[scheme])
        axis.grid(axis="y", linewidth=0.4, color="#E4E4E4")
        axis.set_axisbelow(True)
    axes[0].set(ylabel="entropy $E$ (nat)", ylim=(0, np.log(2 ** bits) * 1.08))
    draw_line(axes[0], np.log(2 ** bits), f"ln {2 ** bits}")
    axes[0].legend(loc="lower left", ncol=2, handletextpad=0.2)
    axes[1].set(ylabel=r"$J\,/\,\Vert\widetilde{W}\Vert^2$", yscale="log")
    label_layers(axes[1], names)
    save(figure, out / "layers")
    write_csv(out / "layers.csv", ["layer", "weights", "lambda", "E_dorefa", "E_asq", "relative_J_dorefa",
                                   "relative_J_asq", "levels_dorefa", "levels_asq"], [
        [name, layers[name].size, f"{np.mean(lambdas.get(name, 2)):.6g}"]
        + [f"{values[scheme][i]:.6g}" for values in (e, j) for scheme in ("DoReFa", "ASQ")]
        + [used[scheme][i] for scheme in ("DoReFa", "ASQ")] for i, name in enumerate(names)])


def figure_lambda(layers, lambdas, bits, out):
    """Learned lambda of each layer (its mean, where every channel has one), J for each weight, and E."""
    names = list(lambdas)
    pairs = [by_asq(layers[name], lambdas[name], bits) for name in names]
    values = {"learned $\\lambda$": [float(np.mean(lambdas[name])) for name in names],
              "entropy $E$ (nat)": [entropy(quantised) for _, quantised in pairs],
              "$J$ for each weight": [quantisation_error(*pair) / pair[0].size for pair in pairs]}
    figure, axes = plt.subplots(3, 1, figsize=(7.2, 5.2), sharex=True)
    for axis, (label, series) in zip(axes, values.items()):
        for kind, colour, marker in dict.fromkeys(map(kind_of, names)):
            chosen = [i for i, name in enumerate(names) if kind_of(name)[0] == kind]
            axis.scatter(chosen, [series[i] for i in chosen], color=colour, marker=marker, s=16, label=kind)
        axis.set_ylabel(label)
        axis.grid(axis="y", linewidth=0.4, color="#E4E4E4")
        axis.set_axisbelow(True)
    draw_line(axes[0], 2, "start")
    axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, 1.22), ncol=3, handletextpad=0.2)
    label_layers(axes[2], names)
    save(figure, out / "lambda")
    write_csv(out / "lambda.csv", ["layer", "weights", "lambda", "E", "J"], [
        [name, layers[name].size] + [f"{v:.6g}" for v in (lam, e, j * layers[name].size)]
        for name, lam, e, j in zip(names, *values.values())])


def save(figure, stem):
    for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None})):
        with atomic_path(stem.with_suffix(suffix)) as temporary:
            figure.savefig(temporary, metadata=metadata)
    plt.close(figure)


if __name__ == "__main__":
    cli.run(main)
