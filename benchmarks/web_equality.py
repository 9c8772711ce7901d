"""The page of tools/export_web.py in Chromium: its logits against the interpreter's, its time with SIMD and without.

    python benchmarks/web_equality.py --graph int8.npz asq.npz --pictures PHOTOGRAPHS [--num-images 10]

Photographs are given to the page as PNG of the pixels that Python decodes, where every logit must be equal, and as
they are, where the browser decodes them. Pairs of pages, one of which is told that there is no SIMD, take the same
picture in turns. Needs Chromium, Node.js and playwright-core (npm install playwright-core; NODE_PATH=its node_modules).
"""

import argparse
import base64
import json
import shutil
import statistics
from pathlib import Path

import cv2
import numpy as np

from gluon_etinynet import InputError, cli
from gluon_etinynet.data.images import pictures_below, preprocess, read_image
from gluon_etinynet.export import web
from gluon_etinynet.export.c.program import call, need
from gluon_etinynet.files import write_json, write_text
from gluon_etinynet.integer import Graph, run
from gluon_etinynet.quantities import COUNT

IN_CHROMIUM = """
const fs = require("fs"), { chromium } = require("playwright-core"), job = JSON.parse(fs.readFileSync(0, "utf8"));
const look = (page, picture) => page.evaluate(async text => {
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    return (await etinynet.classify(new Blob([bytes]))).map(({ logits, ms, prepared }) => ({ logits, ms, prepared }));
}, picture);
(async () => {
    const browser = await chromium.launch({ executablePath: job.chromium, args: ["--no-sandbox"] });
    const pages = [];
    for (const script of ["", "WebAssembly.validate = () => false"]) {
        const page = await browser.newPage({ offline: true });
        page.setDefaultTimeout(300_000); // of a loaded computer
        await page.addInitScript(script);
        await page.goto(job.page);
        pages.push(page);
    }
    const [simd, plain] = pages, seen = [], pairs = [];
    for (const picture of job.pictures)
        seen.push(await look(simd, picture));
    for (let i = 0; i < 4; i++)
        await look(plain, job.pictures[0]);
    for (let i = 0; i < job.pairs; i++)
        pairs.push([await look(simd, job.pictures[0]), await look(plain, job.pictures[0])].map(
            page => page.map(({ ms, prepared }) => ({ ms, prepared }))));
    await browser.close();
    console.log(JSON.stringify({ seen, pairs }));
})().catch(error => { console.error(`error: ${error}`); process.exit(1); });
"""


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", nargs="+", required=True, metavar="NPZ", help="classifiers, one or two")
    parser.add_argument("--pictures", required=True, metavar="DIR", help="photographs")
    parser.add_argument("--num-images", type=COUNT, default=10, help="default: %(default)s")
    parser.add_argument("--pairs", type=COUNT, default=15, help="default: %(default)s")
    parser.add_argument("--save-dir", type=Path, default=Path("runs/web_equality"), help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    need("node", "chromium")
    graphs = [Graph.load(path) for path in args.graph]
    page = args.save_dir / "demo.html"
    write_text(page, web.emit(graphs, [graph.labels for graph in graphs]))
    found = pictures_below(args.pictures)
    files = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, args.num_images).astype(int))]
    images = [read_image(path) for path in files]
    job = {"chromium": shutil.which("chromium"), "page": page.resolve().as_uri(), "pairs": args.pairs,
           "pictures": [base64.b64encode(content).decode() for content in
                        [*(cv2.imencode(".png", image[:, :, ::-1])[1].tobytes() for image in images),
                         *(path.read_bytes() for path in files)]]}
    browser = json.loads(call(["node", "-e", IN_CHROMIUM], json.dumps(job).encode()))
    rows = []
    for index, (path, graph) in enumerate(zip(args.graph, graphs)):
        inputs = np.stack([preprocess(image, graph.image.shape[1]) for image in images])
        equal = [[bool(np.array_equal(seen[index]["logits"], logits)) for seen, logits in zip(part, run(graph, inputs))]
                 for part in (browser["seen"][:len(files)], browser["seen"][len(files):])]
        if not all(equal[0]):
            raise InputError(f"{path}: the page computes other logits than the interpreter of "
                             f"{files[equal[0].index(False)]}")
        times = [[page[index]["ms"] for page in pair] for pair in browser["pairs"]]
        simd, plain = (statistics.median(column) for column in zip(*times))
        rows.append([Path(path).stem, len(files), sum(equal[0]), sum(equal[1]), f"{simd:.1f}", f"{plain:.1f}",
                     f"{statistics.median(a / b for a, b in times):.2f}",
                     f"{statistics.median(pair[0][index]['prepared'] for pair in browser['pairs']):.1f}"])
    header = ["network", "photographs", "equal, decoded by Python", "equal, decoded by the browser", "SIMD128, ms",
              "portable, ms", "ratio of pairs", "preprocessing, ms"]
    print(cli.table(header, rows))
    write_json(args.save_dir / "web_equality.json", {"rows": [dict(zip(header, row)) for row in rows]})


if __name__ == "__main__":
    cli.run(main)
