"""Write docs/results.md, the cards of the networks, README's table and its figure, from measured.csv and paper.csv."""

from pathlib import Path
from textwrap import fill

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from gluon_etinynet import cli
from gluon_etinynet.files import atomic_path
from gluon_etinynet.report import paper
from gluon_etinynet.report.cards import cards as model_cards
from gluon_etinynet.report.measured import HEADLINES, SECTIONS, columns, find, load

ROOT = Path(__file__).resolve().parents[1]
README_MD, RESULTS_MD, FIGURE = (ROOT / path for path in ("README.md", "docs/results.md", "docs/figures/results.png"))
CARDS = ROOT / "docs" / "cards"
WIDTH = 120

INTRODUCTION = (
    "`python benchmarks/results.py` writes this page from `benchmarks/measured.csv` and `benchmarks/paper.csv`. What "
    "differs from the paper, and why, is in [fidelity](fidelity.md); `python benchmarks/check.py` holds the "
    "measurements of your own runs against the paper's. VAL, PHOTOGRAPHS and so on stand for your folders. The machine "
    "had 2 CPU cores and no GPU: GPU contexts and float16 are written after MXNet's documentation and untried.")

BEGIN, END = "<!-- benchmarks/results.py writes this table -->\n\n", "\n<!-- and ends here -->\n"

# The figure: its two curves, and three ways of counting memory.
OURS, THEIRS = "measured, 430 validation pictures", "paper, all 50,000"
WAYS = "as the paper counts", "picture stored", "picture pushed by rows"
ORANGE, GREY = "#D55E00", "#8A8A8A"


def main():
    measured = load()
    texts = {RESULTS_MD: results(measured), README_MD: readme(README_MD.read_text("utf-8"), measured)}
    texts.update(cards(measured))
    for path, text in texts.items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    draw(FIGURE, figures_numbers(measured))
    print(f"written: {', '.join(str(path.relative_to(ROOT)) for path in (*texts, FIGURE))}")


def results(measured):
    """The text of docs/results.md."""
    papers = {entry.key: entry for entry in paper.load()}
    text = ["# What was measured", "", fill(INTRODUCTION, WIDTH)]
    for section, (heading, remark) in SECTIONS.items():
        text += ["", f"## {heading}"] + (["", fill(remark, WIDTH, break_on_hyphens=False)] if remark else [])
        rows = [row for row in measured if row["section"] == section]
        for command in dict.fromkeys(row["command"] for row in rows):
            by = f"By `{command}`:" if command else "Experiments that no command here repeats:"
            text += ["", by, "",
                     cli.table(*columns([row for row in rows if row["command"] == command], section, papers))]
    return "\n".join(text) + "\n"


def cards(measured):
    """The texts of docs/cards/, by their paths."""
    papers = {entry.key: entry for entry in paper.load()}
    return {CARDS / name: text for name, text in model_cards(measured, papers).items()}


def readme(text, measured):
    """README.md with the table of HEADLINES put where the old one is."""
    rows = []
    for words, theirs, (section, name, on, quantity) in HEADLINES:
        row = find(measured, section, name, on, quantity)
        rows.append([words, paper.shown(paper.value(*theirs)) if theirs else "", row["value"], f"`{row['command']}`"])
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    return before + BEGIN + cli.table(["", "paper", "measured", "command"], rows) + "\n" + END + after


def draw(path, numbers):
    """Accuracy against the bits of a weight; memory of the exported C beside what the paper counts."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3), constrained_layout=True,
                                         gridspec_kw={"width_ratios": [1, 1.25]})
    for label, colour, marker in ((OURS, ORANGE, "o"), (THEIRS, GREY, "s")):
        left.plot(range(3), numbers[label], color=colour, marker=marker, label=label)
        for place, value in enumerate(numbers[label]):
            left.annotate(f"{value:.1f}", (place, value), xytext=(0, 7), textcoords="offset points", ha="center",
                          fontsize=8, color=colour)
    left.set_xticks(range(3))
    left.set_xticklabels(map("{}\n{:.2f} MB".format, ("float", "8 bits", "4 bits"), numbers["MB"]))
    left.set(xlim=(-0.3, 2.3), ylim=(55, 86), ylabel="ImageNet top-1, %", title="EtinyNet-1.0, by bits of a weight")
    left.legend(loc="upper right", fontsize=8, frameon=False)

    bars = [(f"{model}: {way}", value) for model in ("1.0", "SSD") for way, value in zip(WAYS, numbers[model])]
    for place, (name, value) in enumerate(bars):
        right.barh(place, value, color=GREY if name.endswith(WAYS[0]) else ORANGE, height=0.7)
        right.text(value + 4, place, f"{value:g}", va="center", fontsize=8)
    right.set_yticks(range(len(bars)))
    right.set_yticklabels([name for name, _ in bars], fontsize=8)
    right.invert_yaxis()
    right.set(xlim=(0, 440), xlabel="KiB", title="RAM for picture and feature maps, 8 bits")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": None, "Description": str(numbers)})
    plt.close(figure)


def figures_numbers(measured):
    """What `draw` draws; the picture holds it as its description, too."""
    def own(*key):
        return float(find(measured, *key)["value"])

    top1 = [key for words, *key in HEADLINES if words.startswith("top-1")]
    memory = {model: [own("mcu", f"EtinyNet-{model}, {way}", "", "arena, KiB") for way in WAYS[1:]]
              for model in ("1.0", "SSD")}
    return {"MB": [own("2", f"EtinyNet-1.0{bits}", "", "size_mb") for bits in ("", " (8-bit)", " (4-bit)")],
            OURS: [own(*ours) for _, ours in top1], THEIRS: [paper.value(*theirs) for theirs, _ in top1],
            "1.0": [paper.value("text", "EtinyNet-1.0", "feature_map_kb"), *memory["1.0"]],
            "SSD": [paper.value("5", "EtinyNet-SSD", "sram_kb"), *memory["SSD"]]}


if __name__ == "__main__":
    cli.run(main)
