"""Graph -> a folder of C: the runtime as it stands in the package, the network's tables, demo, make files."""

import hashlib
import json
import re
from pathlib import Path

import jinja2
import numpy as np

from ... import __version__
from ...data.camera import CLASSIFIERS, DETECTORS, inverse_of, sum_of_weights
from ...files import InputError
from ...integer import accumulator_bound, pack, plan, stages
from ...integer.memory import CANDIDATE_BYTES
from ..folder import Export
from .blob import layout_of, pack_blob
from .kernel_sets import HOST, KERNEL_SETS, WASM
from .mcus import MCUS
from .names import check_prefix
from .self_test import digests

__all__ = ["REPORT", "TOOL", "emit", "quoted"]

TOOL = "gluon_etinynet export_c"
REPORT = "report.json"
_HERE = Path(__file__).resolve().parent
_DEMO, _CAMERAS, _PARTS = (_HERE / name for name in ("demo", "cameras", "parts"))
_SCHEDULES = {"stored": "blocks", "pushed": "rows"}  # the runtime's name -> the planner's
_TYPES = {"uint8_t": np.uint8, "int16_t": np.int16, "int32_t": np.int32}
_TEMPLATES = {"network.h": "include/{prefix}.h", "network.c": "src/{prefix}.c", "etn_prefix.h": "src/etn_prefix.h",
              "main.c": "demo/main.c", "Makefile": "Makefile", "CMakeLists.txt": "CMakeLists.txt",
              "README.md": "README.md", "library.properties": "library.properties", "library.json": "library.json",
              "sketch.ino": "examples/{prefix}_sketch/{prefix}_sketch.ino", "module.yml": "zephyr/module.yml",
              "zephyr.cmake": "zephyr/CMakeLists.txt", "Kconfig": "zephyr/Kconfig",
              "zephyr_sample.cmake": "zephyr/sample/CMakeLists.txt", "prj.conf": "zephyr/sample/prj.conf",
              "zephyr_main.c": "zephyr/sample/src/main.c"}
# What the layers of a stage are for; those of the head by their operator.
_ROLES = {"stem": ("stem", "maxpool"), "block": ("depthwise", "pointwise", "depthwise"),
          "level": ("class predictor", "box predictor"),
          "avgpool": ("average",), "conv2d": ("fully connected",)}


def emit(graph, prefix="etinynet", kernels="portable", camera=None, self_test=False, blob_address=None):
    """Write `graph` as C.

    Parameters
    ----------
    graph : Graph
        A stem, (dense) linear depthwise blocks, a global average and a fully connected layer; or a detector's
        levels in their place.
    prefix : str
        Begins every global name and names the header.
    kernels : str
        One of KERNEL_SETS.
    camera : Camera, optional
        Whose rows the network is to take.
    self_test : bool
        With a function that runs the network on a picture and knows what must come out.
    blob_address : int, optional
        The weights become a file of their own, which lies there in memory.

    Returns
    -------
    Export
        The same arguments give the same text. Its manifest, report.json, says what the network takes.

    Raises
    ------
    InputError
        If the prefix is no C identifier or a name that is taken, the runtime has no place for a node, naming it, or the
        camera does not fit the image.
    """
    check_prefix(prefix)
    graph.validate()
    found = stages(graph)
    _check_stages(graph, found)
    kernel_set = KERNEL_SETS[kernels]
    files = _sources(kernel_set, camera, ["self_test"] * self_test + ["blob"] * (blob_address is not None))
    constants = {name: int(value)
                 for name, value in re.findall(r"#define (ETN_\w+) (\d+)", files["include/etn.h"])}

    layers, arrays = _layers(graph)
    levels, anchors = _levels(graph)
    tables, arrays = arrays, arrays + anchors
    roles = [role for stage in found
             for role in _ROLES[stage.nodes[0].op if stage.kind == "head" else stage.kind]]
    widened = _align(max(kernel_set.scratch(role, layer["fields"]["outputs"], layer["fields"]["taps"])
                         for role, layer in zip(roles, layers) if "taps" in layer["fields"]))
    of_camera = _camera(graph, camera) if camera else None
    plans = {name: _plan(graph, schedule, found, kernel_set.lines, widened, constants["ETN_STATE_BYTES"],
                         makes_rows=bool(camera or self_test) and name == "pushed")
             for name, schedule in _SCHEDULES.items()}
    channels, rows, columns = graph.image.shape
    digest = graph.sha256()
    report = _report(graph, roles, arrays, plans, widened, constants)
    view = {
        "notice": f"Written by {TOOL} {__version__} from the network {_plain(graph.name)}, "
                  f"SHA-256 {digest[:16]}. Do not edit.",
        "tool": TOOL, "package_version": __version__, "network": _plain(graph.name), "prefix": prefix,
        "upper": prefix.upper(), "version": constants["ETN_VERSION"],
        "rows": rows, "columns": columns, "channels": channels,
        "classes": graph.classes, "labels": [quoted(label) for label in graph.labels or ()],
        "layers": layers, "arrays": arrays if blob_address is None else anchors, "plans": plans,
        "camera": of_camera, "digests": digests(graph, found) if self_test else None,
        "detection": graph.detection, "levels": levels, "candidate_bytes": CANDIDATE_BYTES,
        "compiler_flags": kernel_set.flags, "wasm_flags": kernel_set.wasm_flags, "kernels": kernels,
        "runs_on": kernel_set.runs_on, "on_host": kernel_set.serves(HOST) and blob_address is None,
        "on_wasm": kernel_set.serves(WASM) and blob_address is None,
        "mcus": {name: mcu for name, mcu in MCUS.items() if kernel_set.serves(mcu.processor)},
        "flags": " ".join(["--logits"] * (not levels) + ["--pushed"] + ["--camera"] * bool(camera)
                          + ["--self-test"] * self_test),
        "compute": f"{prefix}_" + ("detect(arena, found, &count)" if levels else "run(arena, logits)"),
        "arena_bytes": report["arena_bytes"],
        "flash": report["flash_bytes"], "macs": report["macs"],
        "sources": sorted(p for p in files if re.match(r"src/.*\.c$", p)) + [f"src/{prefix}.c"],
    }
    blob = None
    if blob_address is not None:
        layout = layout_of(layers, plans, anchors, blob_address, self_test)
        blob = pack_blob(blob_address, constants["ETN_VERSION"], layout, int(digest[:8], 16), layers,
                         tables, view["digests"] or [])
        report["weights_blob"] = {"address": blob_address, "bytes": len(blob), "layout": f"{layout:08x}"}
    view["blob"] = report.get("weights_blob")
    labels = [f"include/{prefix}_labels.h"] if graph.labels else []
    view["headers"] = sorted([path for path in files if path.endswith(".h")]
                             + [f"include/{prefix}.h", "src/etn_prefix.h", *labels])
    view["runtime"] = _digest({path: text for path, text in files.items() if not path.startswith("demo/")})
    view["export"] = _digest({**files, **_rendered({**view, "export": ""})})
    files.update(_rendered(view))
    if blob:
        files[f"{prefix}_weights.bin"] = blob
    report.update(tool=TOOL, version=__version__, network=graph.name, sha256=digest, prefix=prefix, labels=graph.labels,
                  kernels=kernels, camera=of_camera,
                  image={"rows": rows, "columns": columns, "channels": channels}, files=sorted([*files, REPORT]))
    files[REPORT] = json.dumps(report, indent=2, sort_keys=True) + "\n"
    # The header first and the tables last: if the export is interrupted, the compiler sees that they do not agree.
    first, last = f"include/{prefix}.h", f"src/{prefix}.c"
    return Export({path: files[path] for path in sorted(files, key=lambda p: (p != first, p == last, p))}, REPORT)


def _digest(files):
    """Eight hexadecimal digits that tell sets of files apart."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:8]


def _sources(kernels, camera, parts):
    """The runtime, its kernels and the demo as they stand in the package: path in the exported folder -> text."""
    files = {f"{'include' if name == 'etn.h' else 'src'}/{name}": path for name, path in kernels.sources().items()}
    more = [*_CAMERAS.glob("*.[ch]"), *(_CAMERAS / camera.format).glob("*.[ch]")] if camera else []
    more += [path for part in ["crc"] * bool(parts) + parts for path in _PARTS.glob(f"etn_{part}.[ch]")]
    files.update({f"src/{path.name}": path for path in more})
    files.update({f"demo/{path.relative_to(_DEMO).as_posix()}": path for path in _DEMO.rglob("*.*")})
    return {name: files[name].read_text() for name in sorted(files)}


def _rendered(view):
    """The templates filled in: path in the exported folder -> text."""
    environment = jinja2.Environment(loader=jinja2.PackageLoader("gluon_etinynet.export.c"), trim_blocks=True,
                                     lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,
                                     undefined=jinja2.StrictUndefined)
    prefix, suffixes = view["prefix"], ["", "_labels"] if view["labels"] else [""]
    paths = [(template, path.format(prefix=prefix), {}) for template, path in _TEMPLATES.items()]
    paths += [("labels.h", f"include/{prefix}_labels.h", {})] * bool(view["labels"])
    paths += [("forward.h", f"src/{prefix}{suffix}.h", {"suffix": suffix}) for suffix in suffixes]
    return {path: environment.get_template(name + ".j2").render(view, **more) for name, path, more in paths}


def _plain(name):
    """A network's name as it may stand in a comment."""
    return re.sub(r"[^\w.+ -]|\*/", "?", name)


def quoted(text):
    """Text as a string of C: bytes beyond ASCII, and what could begin an escape or a trigraph, in octal."""
    plain = [chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in text.encode()]
    return '"' + "".join(plain) + '"'


# ---- What the runtime has a place for ----

def _check_stages(graph, found):
    def require(condition, node, message):
        if not condition:
            raise InputError(f"node {node.output}: the C runtime {message}")

    kinds, last = [stage.kind for stage in found], graph.nodes[-1]
    if graph.detection is None:
        heads = [stage.nodes[0] for stage in found if stage.kind == "head"]
        require(kinds == ["stem"] + ["block"] * (len(kinds) - 3) + ["head"] * 2 and heads[0].op == "avgpool"
                and heads[1].op == "conv2d" and heads[1].attrs["groups"] == 1 and heads[1].attrs["pad"] == 0
                and heads[1].attrs["relu"] == "none" and graph.output.quant.bits == 32, last,
                "runs a stem, blocks, a global average and a fully connected layer with int32 outputs only")
    require("head" not in kinds or graph.detection is None, last, "gives logits or detections, not both")
    for node in (node for stage in found if stage.kind == "level" for node in stage.nodes):
        require(node.attrs["weight"].shape[1:] == graph.tensors[node.inputs[0]].shape[:1] + (1, 1)
                and node.attrs["stride"] == 1 and node.attrs["relu"] == "none", node,
                "takes 1x1 predictors without groups, stride or ReLU")
    conv, pool = found[0].nodes
    require(conv.attrs["weight"].shape[2:] == (3, 3) and conv.attrs["pad"] == 1 and conv.attrs["groups"] == 1
            and len(conv.inputs) == 1, conv, "takes a stem of 3x3 with padding 1 and without groups")
    require(pool.attrs["kernel"] <= 3, pool, "pools at most 3 rows")
    for node in graph.nodes:
        tensor = graph.tensors[node.output]
        require(max(tensor.shape) <= 65535 and node.attrs.get("stride", 1) <= 255, node,
                "holds lengths in 16 bits and strides in 8")
        require(tensor.quant.bits == 8 or tensor.name in graph.outputs, node,
                "has int32 outputs only at the end")


# ---- Tables ----

def _layers(graph):
    """The layers' fields, and the arrays that they point to."""
    layers, arrays = [], []
    for index, node in enumerate(graph.nodes):
        attrs, fields = node.attrs, {}
        source, output = graph.tensors[node.inputs[0]], graph.tensors[node.output]
        columns = {}
        if node.op == "conv2d":
            weight = attrs["weight"].reshape(len(attrs["weight"]), -1)
            bits = attrs["weight_quant"].bits
            columns["weights"] = pack(weight, bits)
            if attrs["bias"] is not None:
                fields["bias_bytes"] = 3 if np.abs(attrs["bias"]).max() < 1 << 23 else 4
                columns["bias"] = _numbers(attrs["bias"], fields["bias_bytes"])
            fields["room"] = 31 - int(accumulator_bound(attrs["weight"], attrs["bias"]).max()).bit_length()
            fields.update(taps=weight.shape[1], bits=bits, relu=int(attrs["relu"] == "before"),
                          shortcut=int(len(node.inputs) == 2),
                          shortcut_multiplier=attrs["shortcut_multiplier"] or 0)
        if node.op != "maxpool":
            columns.update(multiplier=attrs["multiplier"], offset=_numbers(attrs["offset"], 3))
            fields["shift"] = attrs["shift"]
        for key, values in columns.items():
            if values is not None:
                comment = (f"{index} {_plain(node.output)}: {len(values)} x {fields['taps']} weights of "
                           f"{fields['bits']} bits" if key == "weights" else "")
                arrays.append(_array(f"{key}_{index}", values, comment))
                fields[key] = arrays[-1]["name"]
        fields.update(zip(("inputs", "in_rows", "in_columns"), source.shape))
        fields.update(zip(("outputs", "rows", "columns"), output.shape))
        fields.update(stride=attrs.get("stride", 1), kernel=attrs.get("kernel", 0),
                      low=output.quant.zero_point if attrs.get("relu") == "after" else -128,
                      in_zero_point=source.quant.zero_point)
        layers.append({"node": _plain(node.output), "fields": fields})
    return layers, arrays


def _levels(graph):
    """The fields of a detector's levels, and the arrays of their anchors."""
    levels, arrays, first = [], [], 0
    for number, level in enumerate(graph.detection.levels if graph.detection else ()):
        comment = f"half width and height of the anchors of {_plain(level.classes)}, 2^-16 pixel"
        arrays.append(_array(f"anchors_{number}", np.array(level.anchors, np.int32), comment))
        levels.append({"half": arrays[-1]["name"], "half_step": level.half_step,
                       "anchors": len(level.anchors), "first": first})
        _, rows, columns = graph.tensors[level.classes].shape
        first += len(level.anchors) * rows * columns
    return levels, arrays


def _numbers(values, count):
    """Integers as `count` bytes each, from the lowest on, and a byte that may be read with the last."""
    lowest_first = np.ravel(values).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :count]
    return np.append(lowest_first, np.uint8(0))


def _array(name, values, comment):
    """A constant array as the templates take it: its text has 24 numbers a line."""
    values = np.ravel(values)
    numbers = list(map(str, values.tolist()))
    lines = [", ".join(numbers[i:i + 24]) for i in range(0, len(numbers), 24)]
    kind = next(kind for kind, dtype in _TYPES.items() if values.dtype == dtype)
    return {"name": name, "type": kind, "count": len(numbers), "comment": comment, "bytes": values.nbytes,
            "values": values,
            "text": ",\n".join(lines)}


def _camera(graph, camera):
    """What the templates say of a camera."""
    channels, rows, columns = graph.image.shape
    if channels != 3:
        raise InputError(f"network {graph.name} takes {channels} channels, and a camera gives 3; export it without")
    centre = camera.centre(rows, columns, DETECTORS if graph.detection else CLASSIFIERS)
    area = sum_of_weights(centre.width, columns) * sum_of_weights(centre.height, rows)
    return {**camera._asdict(), "row_bytes": camera.row_bytes, "inverse": inverse_of(area), "left": centre.left,
            "top": centre.top, "columns": centre.width, "rows": centre.height}


def _plan(graph, schedule, found, lines, widened, state_bytes, makes_rows):
    """Steps and arena of the planner's `schedule`, with room for the state, the widened weights and, maybe, a row.

    The row lies behind what the stem needs, where later steps may have their maps.
    """
    laid = plan(graph, schedule, lines)
    order = {node.output: index for index, node in enumerate(graph.nodes)}
    steps = []
    for stage, step in zip(found if graph.detection else found[:-1], laid.steps):
        offset = {buffer.name: buffer.offset for buffer in step.buffers}
        first, last = stage.nodes[0], stage.nodes[-1]
        fields = {"kind": f"ETN_{stage.kind.upper()}", "layer": order[first.output],
                  "source": offset.get(first.inputs[0], 0), "target": offset.get(last.output, 0), "rows": step.rows}
        begins = {buffer.name: buffer.offset for buffer in step.buffers if buffer.kind != "map"}
        if "conv" in begins:
            begins["middle"] = begins.pop("conv")
        steps.append({**fields, **begins})
    behind = _align(max(buffer.offset + buffer.size for buffer in laid.steps[0].buffers))
    row_bytes = (4 + 1) * graph.image.shape[0] * graph.image.shape[2] if makes_rows else 0
    begin = _align(max(laid.arena_bytes, behind + row_bytes))
    sizes = [{b.name: b.size for b in step.buffers if b.kind != "map"} for step in laid.steps]
    return {"steps": steps, "widened": begin, "row": behind if makes_rows else 0,
            "arena_bytes": state_bytes + begin + widened,
            "lines": [{"layers": list(step.nodes), "bytes": of} for step, of in zip(laid.steps, sizes) if of]}


def _align(size):
    return -(-size // 8) * 8


# ---- Report ----

def _report(graph, roles, arrays, plans, widened, constants):
    kinds = {"weights": "weights", "bias": "biases", "multiplier": "multipliers", "offset": "offsets",
             "anchors": "anchors"}
    flash = dict.fromkeys(kinds.values(), 0)
    for array in arrays:
        flash[kinds[array["name"].split("_")[0]]] += array["bytes"]
    flash["total"] = sum(flash.values())
    layers = []
    for node, role in zip(graph.nodes, roles):
        shape = graph.tensors[node.output].shape
        macs = int(np.prod(shape)) * node.attrs["weight"][0].size if node.op == "conv2d" else 0
        layers.append({"layer": node.output, "role": role, "output": list(shape), "macs": macs})
    return {"flash_bytes": flash, "arena_bytes": {name: p["arena_bytes"] for name, p in plans.items()},
            "arena_parts": {"state": constants["ETN_STATE_BYTES"], "widened_weights": widened},
            "line_buffers": plans["stored"]["lines"], "layers": layers,
            "macs": sum(layer["macs"] for layer in layers)}
