"""What an exported folder takes of a microcontroller, as a page for its engineer: flash, RAM, stack, instructions.

The demo is built and linked by the microcontroller's linker script. The stack is followed along the calls that the
compiler lists (-fcallgraph-info=su); where qemu-system-arm is installed, it is measured as well, and the
instructions are counted, by layer and by row. Writes report.md and report.json to --save-dir.
"""

import argparse
import re
import shutil
from pathlib import Path

from gluon_etinynet import InputError, cli
from gluon_etinynet.export.c import program, stack
from gluon_etinynet.export.c.emit import REPORT, TOOL
from gluon_etinynet.export.c.program import MCUS
from gluon_etinynet.files import write_json, write_text
from gluon_etinynet.quantities import MEGAHERTZ
from gluon_etinynet.reading import read_json

CFLAGS = "-O2 -fcallgraph-info=su"  # the latter changes nothing but lists the calls
PUSHED = " -DPUSHED_ONLY"  # where the RAM holds no image
LIMITS = """\
- Instructions are exact for QEMU's processor; cycles do not follow from them: wait states of the flash cost, caches and
  dual issue gain. Energy is the board's power times the time that you measure.
- The stack is that of the network's functions by this compiler; interrupts, an operating system and your own code come
  on top.
- The network blocks no interrupts and waits for nothing; one arena serves one picture at a time.
"""


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="what tools/export_c.py has written")
    parser.add_argument("--mcu", choices=MCUS, required=True, help="microcontroller")
    parser.add_argument("--mhz", type=MEGAHERTZ, default=100,
                        help="clock at which times are told (default: 100)")
    parser.add_argument("--save-dir", default="runs/report_c", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    program.need("make", "arm-none-eabi-gcc", "arm-none-eabi-objdump")
    folder, mcu = Path(args.folder), MCUS[args.mcu]
    report = read_json(folder / REPORT, "give a folder of tools/export_c.py", tool=str, layers=list)
    if report["tool"] != TOOL:
        raise InputError(f"{folder} was written by {report['tool']}; give a folder of tools/export_c.py")
    cflags = CFLAGS
    try:
        program.build_elf(folder, args.mcu, f"CFLAGS={cflags}")
    except program.DoesNotFit:
        cflags += PUSHED
        program.build_elf(folder, args.mcu, f"CFLAGS={cflags}")
    build = folder / "build" / f"{mcu.processor.lower()}-{args.mcu}"
    calls = stack.read_calls(build.rglob("*.ci"), lambda path: program.call(
        ["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", path.with_suffix(".o")]).decode())
    names = [f"{report['prefix']}_{name}_of_export" for name in
             ("init", "self_test", "push_row", "camera_begin", "camera_row", "run", "detect")]
    deepest = {name: stack.deepest(calls, name) for name in calls if name.startswith(tuple(names))}
    sections = dict(re.findall(r"^\.(\S+) +(\d+)", program.make(
        folder, "size", *program.target(args.mcu), f"CFLAGS={cflags}").decode(), re.MULTILINE))
    counted, uncounted = None, "qemu-system-arm is not installed"
    if shutil.which("qemu-system-arm"):
        counted, uncounted = count_where_weights_are(folder, args.mcu, report, cflags)
    found = {"mcu": args.mcu, "mhz": args.mhz, "sections": {name: int(size) for name, size in sections.items()},
             "constants": report["flash_bytes"], "arena_bytes": report["arena_bytes"],
             "stack": {name: {"bytes": size, "calls": path} for name, (size, path) in deepest.items()},
             "counted": counted}
    text = page(report, mcu, found, args.mhz, cflags, uncounted)
    print(text)
    write_text(Path(args.save_dir) / "report.md", text)
    write_json(Path(args.save_dir) / "report.json", found)


def count_where_weights_are(folder, mcu, report, cflags):
    """What `count` returns and None; where QEMU's board cannot read the weights' own memory, None and that reason."""
    try:
        return count(folder, mcu, report, cflags), None
    except InputError:
        if "weights_blob" not in report:
            raise
        return None, (f"QEMU's {MCUS[mcu].machine} does not run the demo with its weights at "
                      f"{report['weights_blob']['address']:#x}, where it may have no memory")


def count(folder, mcu, report, cflags):
    """Instructions and bytes of stack under QEMU: of a stored image, of rows, and by layer."""
    columns = report["image"]["columns"] * report["image"]["channels"]
    image = bytes(i * 37 % 251 for i in range(report["image"]["rows"] * columns))
    pushed = program.simulate(folder, mcu, image, cflags, "--pushed")
    whole = pushed if cflags.endswith(PUSHED) else program.simulate(folder, mcu, image, cflags)
    counted = {"instructions": whole.instructions, "stack": whole.stack,
               "rows": {"image": rows_of(pushed, report["image"]["rows"])}}
    if report["camera"]:
        camera = report["camera"]
        frame = bytes(i * 37 % 251 for i in range(camera["height"] * camera["row_bytes"]))
        seen = program.simulate(folder, mcu, frame, cflags, "--camera")
        counted["rows"]["camera"] = rows_of(seen, camera["height"])
        counted["stack"] = max(whole.stack, seen.stack)
    counted["layers"] = program.instructions_by_layer(folder, mcu, image, cflags,
                                                      "--pushed" if cflags.endswith(PUSHED) else "")
    return counted


def rows_of(inference, rows):
    return {"most": inference.most_of_a_row, "mean": round(inference.of_rows / rows), "all": inference.of_rows}


def page(report, mcu, found, mhz, cflags, uncounted):
    """The report as Markdown; `uncounted` is why there are no instructions, where there are none."""
    sections, constants = found["sections"], found["constants"]
    static, arena = int(sections.get("data", 0)) + int(sections["bss"]), found["arena_bytes"]
    flash = int(sections["text"]) + int(sections.get("data", 0))
    own = {key: value for key, value in constants.items() if key != "total"}
    parts = [f"# {report['network']} on an {found['mcu'].upper()} ({mcu.processor})\n",
             f"Kernels: {report['kernels']}. By {CFLAGS.split()[0]}; the demo's start and output are included.\n",
             "## Flash and RAM, bytes\n",
             cli.table(["section", "bytes", "of"], [
                 ["code and text", f"{flash - (0 if 'weights_blob' in report else constants['total']):,}", ""],
                 *[[name, f"{size:,}", ""] for name, size in own.items()],
                 ["flash", f"{flash:,}", f"{mcu.flash:,}"], ["static RAM", f"{static:,}", f"{mcu.ram:,}"],
                 ["of it the arena, image stored", f"{arena['stored']:,}", ""],
                 ["of it the arena, rows pushed", f"{arena['pushed']:,}", ""]]) + "\n",
             "The demo has the arena for rows: an image does not fit into the RAM.\n" if cflags.endswith(PUSHED) else
             "The demo has the larger of the two arenas.\n",
             "## Stack, bytes, by the deepest calls\n",
             cli.table(["function", "bytes", "calls"], [[short(name), of["bytes"], " > ".join(of["calls"][1:])]
                                                        for name, of in found["stack"].items()]) + "\n"]
    if found["counted"]:
        parts += counts(report, found["counted"], mhz)
    else:
        parts += [f"{uncounted}: instructions are not counted.\n"]
    return "\n".join([*parts, "## Known limits\n", LIMITS])


def counts(report, counted, mhz):
    """The parts of the page that QEMU gives."""
    def at(instructions):
        return f"{instructions / mhz / 1e3:,.2f}"

    roles = [[index, report["layers"][index]["layer"], report["layers"][index]["role"], f"{number:,}"]
             for index, number in counted["layers"].items()]
    rows = [[name, f"{of['mean']:,}", f"{of['most']:,}", at(of["most"])] for name, of in counted["rows"].items()]
    return [f"Measured by a painted stack, demo and start included: {counted['stack']:,}.\n",
            "## Instructions, under QEMU\n",
            f"A picture: {counted['instructions']:,}; at {mhz:g} MHz and a cycle each, "
            f"{at(counted['instructions'])} ms.\n",
            cli.table(["row of the", "mean", "most", f"most, ms at {mhz:g} MHz and a cycle each"], rows) + "\n",
            "A row may come no sooner than the most of one takes: an interrupt for each row needs that budget.\n",
            cli.table(["layer", "name", "role", "instructions"], roles) + "\n"]


def short(name):
    return re.sub(r"_of_export_\w+", "", name)


if __name__ == "__main__":
    cli.run(main)
