"""The C emitter: what it writes reads back, what it cannot serve it names; the tool's manners."""

import copy
import json
import os
import runpy
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from c_export import call, needs, read_arrays

from gluon_etinynet.export import c
from gluon_etinynet.export.c.kernel_sets import KERNEL_SETS, KernelSet, fastest
from gluon_etinynet.export.c.names import check_prefix
from gluon_etinynet.export.c.program import MCUS
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import unpack, weight_limit
from gluon_etinynet.integer.memory import LineFormat
from gluon_etinynet.integer.random_graphs import etinynet_graph

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def graph():
    return etinynet_graph("tiny", 33, 4, classes=5)


def export_c(capsys, *arguments):
    """Run the tool; returns its exit status and what it said."""
    argv = [str(ROOT / "tools" / "export_c.py"), *map(str, arguments)]
    with mock.patch.object(sys, "argv", argv), pytest.raises(SystemExit) as ended:
        runpy.run_path(argv[0], run_name="__main__")
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_every_weight_reads_back(bits):
    graph = etinynet_graph("tiny", 33, bits, classes=5, seed=bits)
    arrays = read_arrays(c.emit(graph, "net")["src/net.c"])
    convolutions = {f"weights_{index}": node for index, node in enumerate(graph.nodes) if node.op == "conv2d"}
    assert {name for name in arrays if name.startswith("weights")} == set(convolutions)
    for name, node in convolutions.items():
        weight = node.attrs["weight"]
        packed = arrays[name].reshape(len(weight), -1)
        read = unpack(packed, node.attrs["weight_quant"].bits, weight[0].size).reshape(weight.shape)
        assert np.array_equal(read, weight) and np.abs(read).max() <= weight_limit(bits)


def of_three_bytes(array):
    """Integers from three bytes each, the lowest first; a byte follows the last."""
    assert array.dtype == np.uint8 and len(array) % 3 == 1 and array[-1] == 0
    return np.array([int.from_bytes(bytes(three), "little", signed=True) for three in array[:-1].reshape(-1, 3)],
                    np.int32)


def test_a_large_bias_has_four_bytes(graph):
    large = copy.deepcopy(graph)
    node = next(node for node in large.nodes if node.op == "conv2d" and node.attrs["bias"] is not None)
    for bias, count in ((-(1 << 23) + 1, 3), (-(1 << 23), 4), (1 << 23, 4)):
        node.attrs.update(bias=np.full_like(node.attrs["bias"], bias), shift=0)
        text = c.emit(large, "net")["src/net.c"]
        index = large.nodes.index(node)
        assert len(read_arrays(text)[f"bias_{index}"]) == count * len(node.attrs["bias"]) + 1
        assert text.split(f"/* {index} {node.output} */")[1].split(".bias_bytes = ")[1].startswith(f"{count},")


def test_every_parameter_reads_back(graph):
    arrays = read_arrays(c.emit(graph, "net")["src/net.c"])
    for index, node in enumerate(graph.nodes):
        for key in ("bias", "multiplier", "offset"):
            if node.attrs.get(key) is not None:
                read = arrays.pop(f"{key}_{index}")
                if key != "multiplier":
                    read = of_three_bytes(read)
                assert read.dtype == node.attrs[key].dtype and np.array_equal(read, node.attrs[key])
    assert all(name.startswith("weights_") for name in arrays)


def test_the_same_graph_gives_the_same_text(graph):
    assert c.emit(graph, "net") == c.emit(copy.deepcopy(graph), "net")


def test_generated_files_say_where_they_come_from(graph):
    files = c.emit(graph, "net")
    for path in ("include/net.h", "src/net.c", "src/etn_prefix.h", "demo/main.c", "Makefile",
                 "CMakeLists.txt", "README.md"):
        head = files[path][:400]
        assert files.manifest["tool"] in head and graph.sha256()[:16] in head and "Do not edit" in head, path


def test_the_other_sources_are_as_in_the_package(graph):
    """The runtime and its kernels lie in one folder of the export, the header for the user in another."""
    package, files = Path(c.__file__).parent, c.emit(graph, "net")
    sources = [path for room in ("runtime", "kernels/portable") for path in (package / room).iterdir()]
    kept = {f"{'include' if path.name == 'etn.h' else 'src'}/{path.name}": path for path in sources}
    kept.update({path.relative_to(package).as_posix(): path for path in (package / "demo").rglob("*.*")})
    assert {name: files[name] for name in kept} == {name: path.read_text() for name, path in kept.items()}


def test_a_set_of_kernels_is_an_entry_and_a_folder(graph, tmp_path, monkeypatch):
    """Its files take the place of the portable ones of their names; its needs are met."""
    (tmp_path / "etn_average.c").write_text("/* mine */\n")
    (tmp_path / "etn_mine.h").write_text("/* mine too */\n")
    portable = KERNEL_SETS["portable"].scratch

    def scratch(role, outputs, taps):
        return 100 * taps if role == "fully connected" else portable(role, outputs, taps)

    monkeypatch.setitem(KERNEL_SETS, "mine", KernelSet(tmp_path, scratch, LineFormat(2), ("-mfpu=none", "-DMINE")))
    plain, mine = c.emit(graph, "net"), c.emit(graph, "net", "mine")
    assert {name for name in mine if mine[name] != plain.get(name) and name.startswith("src/etn_")} == {
        "src/etn_average.c", "src/etn_mine.h", "src/etn_prefix.h"}  # the last: names of another runtime
    assert "-mfpu=none -DMINE" in mine["Makefile"] and "src/etn_mine.h" in mine["Makefile"]
    assert "target_compile_options(net PRIVATE -mfpu=none -DMINE)" in mine["CMakeLists.txt"]
    assert "target_compile_options" not in plain["CMakeLists.txt"]
    parts, lines = mine.manifest["arena_parts"], mine.manifest["line_buffers"][1]["bytes"]
    assert parts["widened_weights"] == 100 * graph.nodes[-1].attrs["weight"].shape[1]
    assert lines == {key: 2 * value for key, value in plain.manifest["line_buffers"][1]["bytes"].items()}


def test_every_microcontroller_has_its_fastest_set():
    assert {name: fastest(mcu.processor) for name, mcu in MCUS.items()} == {
        "stm32f412": "dsp", "stm32f427": "dsp", "stm32f746": "dsp", "stm32h743": "dsp", "nrf51822": "portable",
        "stm32f205": "portable", "stm32l552": "dsp", "apollo510": "mve"}
    assert fastest(None) == fastest("Cortex-M0") == "portable"


def test_report(graph):
    report = c.emit(graph, "net").manifest
    flash = report["flash_bytes"]
    assert flash["total"] == sum(flash[key] for key in ("weights", "biases", "multipliers", "offsets"))
    text = c.emit(graph, "net")["src/net.c"]
    assert flash["total"] == sum(array.nbytes for array in read_arrays(text).values())
    stem = report["layers"][0]
    assert stem == {"layer": "stem.conv", "role": "stem", "output": [4, 17, 17], "macs": 4 * 17 * 17 * 27}
    roles = [layer["role"] for layer in report["layers"]]
    assert roles[:3] == ["stem", "maxpool", "depthwise"]
    assert roles[-5:] == ["depthwise", "pointwise", "depthwise", "average", "fully connected"]
    assert report["macs"] == sum(layer["macs"] for layer in report["layers"])
    assert report["line_buffers"][0]["bytes"] == {"in": 3 * 35 * 3, "conv": 3 * 4 * 17}
    assert set(report["files"]) == set(c.emit(graph, "net"))


def test_macs_of_the_paper():
    """113.71 M without batch normalisation."""
    report = c.emit(etinynet_graph("1.0", 224)).manifest
    assert round(report["macs"] / 1e6, 2) == 113.71


@pytest.mark.parametrize("name, change, message", [
    ("stem.conv", lambda g, n: n.attrs.update(weight=n.attrs["weight"][:, :, 1:2, 1:2].copy(), pad=0), "3x3"),
    ("logits", lambda g, n: g.nodes.remove(n), "fully connected"),
    ("stage1.0.pw", lambda g, n: n.attrs.update(pad=1), "pad|block|output is"),
])
def test_what_the_runtime_has_no_place_for_is_named(graph, name, change, message):
    faulty = copy.deepcopy(graph)
    change(faulty, next(n for n in faulty.nodes if n.output == name))
    kept = {n.output for n in faulty.nodes} | {faulty.image.name}
    faulty.tensors = {key: tensor for key, tensor in faulty.tensors.items() if key in kept}
    with pytest.raises(InputError, match=f"node .*({message})"):
        c.emit(faulty, "net")


@pytest.mark.parametrize("prefix", ["", "2net", "a-b", "int", "class", "etn", "ETN_x", "é", "_", "x\n", "a\nb",
                                    "String", "sem", "demo", "CON", "x" * 65])
def test_a_prefix_that_cannot_be(graph, prefix):
    with pytest.raises(InputError, match="prefix .*; (choose another|take )") as caught:
        c.emit(graph, prefix)
    assert "\n" not in str(caught.value)


STANDARD = [f"#include <{name}.h>\n" for name in (
    "assert complex ctype errno fenv inttypes limits locale math pthread semaphore setjmp signal stdarg stdbool stddef "
    "stdint stdio stdlib string strings time unistd wchar").split()]
# Names of macros, of the demo's and the runtime's files and functions, and of what the build makes.
ODD = ["linux", "unix", "i386", "NULL", "EOF", "print", "port", "observe", "host", "profile", "model", "names",
       "prefix", "row", "image", "layers", "logits", "status", "run", "init", "net_init", "Makefile", "report", "build",
       "A", "std", "x" * 64]


def test_an_odd_prefix_compiles(graph, tmp_path):
    """With the headers' folders searched before the system's; all in one source, before and after the system's."""
    needs("gcc", "g++")
    folders = [c.emit(graph, prefix).write(tmp_path / prefix) for prefix in ODD]
    sources = [folder / path for prefix, folder in zip(ODD, folders) for path in (f"src/{prefix}.c", "demo/main.c")]
    call(["gcc", "-std=gnu99", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *sources])
    headers = [f"#include \"{prefix}.h\"\n" for prefix in ODD]
    for name, compiler in (("user.c", ["gcc", "-std=gnu11"]), ("user.cc", ["g++", "-std=gnu++11"])):
        uses = [f"etn_status use_{prefix}(void *arena, int32_t logits[{prefix.upper()}_CLASSES]);\n"
                f"etn_status use_{prefix}(void *arena, int32_t logits[{prefix.upper()}_CLASSES])\n"
                f"{{ return {prefix}_run(arena, logits); }}\n" for prefix in ODD]
        (tmp_path / name).write_text("".join([*headers, *STANDARD, *headers, *uses]))
        call([*compiler, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", tmp_path / name,
              *[word for folder in folders for word in ("-I", folder / "include")]])


def test_a_prefix_never_hides_a_header_of_the_system(tmp_path):
    """Of those that the standard headers include: each name is refused, or its header is nowhere included."""
    needs("gcc")
    for path in Path("/usr/include").glob("*.h"):
        try:
            check_prefix(path.stem)
        except InputError:
            continue
        (tmp_path / path.name).write_text("#error hidden\n")
    (tmp_path / "user.c").write_text("".join(STANDARD))
    call(["gcc", "-fsyntax-only", "-I", tmp_path, tmp_path / "user.c"])


def test_the_tool(graph, tmp_path, capsys):
    graph.save(tmp_path / "model.npz")
    out = tmp_path / "out"
    arguments = ["--graph", tmp_path / "model.npz", "--out", out, "--prefix", "digits"]
    status, said, _ = export_c(capsys, *arguments)
    assert status == 0 and "arena" in said
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert written == set(c.emit(graph, "digits"))
    for path, text in c.emit(graph, "digits").items():
        assert (out / path).read_text() == text


def test_an_earlier_export_is_replaced_and_no_file_of_the_user_lost(graph, tmp_path):
    out = tmp_path / "out"
    c.emit(graph, "old").write(out)
    (out / "notes.txt").write_text("mine")
    c.emit(graph, "young").write(out)
    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / "src" / "old.c").exists() and (out / "src" / "young.c").is_file()


def test_a_folder_that_is_not_ours(graph, tmp_path, capsys):
    graph.save(tmp_path / "model.npz")
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    arguments = ["--graph", tmp_path / "model.npz", "--out", out]
    status, _, complaint = export_c(capsys, *arguments)
    assert status == 2 and "use force" in complaint and complaint.count("\n") == 1
    assert [p.name for p in out.iterdir()] == ["thesis.tex"]
    assert export_c(capsys, *arguments, "--force")[0] == 0
    assert (out / "thesis.tex").read_text() == "mine" and (out / "Makefile").is_file()


def test_a_manifest_cannot_name_files_outside(graph, tmp_path):
    out = tmp_path / "out"
    c.emit(graph, "net").write(out)
    (tmp_path / "precious").write_text("mine")
    report = json.loads((out / "report.json").read_text())
    report["files"] += ["../precious", str(tmp_path / "precious")]
    (out / "report.json").write_text(json.dumps(report))
    c.emit(graph, "net").write(out)
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.parametrize("damage", [lambda b: b[:len(b) // 2], lambda b: b"", None,
                                    lambda b: b[:700] + bytes([b[700] ^ 1]) + b[701:]])
def test_a_damaged_graph_writes_nothing(graph, damage, tmp_path, capsys):
    path, out = tmp_path / "model.npz", tmp_path / "out"
    if damage:
        graph.save(path)
        path.write_bytes(damage(path.read_bytes()))
    status, said, complaint = export_c(capsys, "--graph", path, "--out", out)
    assert status == 2 and str(path) in complaint and complaint.count("\n") == 1
    assert not said and not out.exists()


def test_a_prefix_refused_writes_nothing(graph, tmp_path, capsys):
    graph.save(tmp_path / "model.npz")
    out = tmp_path / "out"
    arguments = ["--graph", tmp_path / "model.npz", "--out", out, "--prefix", "1st"]
    status, _, complaint = export_c(capsys, *arguments)
    assert status == 2 and "prefix 1st" in complaint and not out.exists()


def test_kernels_go_with_the_microcontroller(graph, tmp_path, capsys):
    graph.save(tmp_path / "model.npz")
    arguments = ["--graph", tmp_path / "model.npz", "--out", tmp_path / "out", "--mcu"]
    status, _, complaint = export_c(capsys, *arguments, "stm32f412", "--kernels", "mve")
    assert status == 2 and "stm32f412 has a Cortex-M4" in complaint and not (tmp_path / "out").exists()
    status, said, _ = export_c(capsys, *arguments, "apollo510")
    assert status == 0 and "mve kernels" in said and "qemu MACHINE=mps3-an547 MCU=apollo510" in said


@pytest.mark.parametrize("flag, value, complaint", [
    ("--camera", "rgb565:320x240", "is not FORMAT:WxH"), ("--camera", "yuyv:321x240", "even width"),
    ("--camera", "gray8:8000x8000", "too large for an image"), ("--weights-blob", "0x90000004", "a multiple of 8"),
    ("--weights-blob", "flash", "no address"), ("--weights-blob", "0x100000000", "no address")])
def test_cameras_and_addresses_that_cannot_be(graph, flag, value, complaint, tmp_path, capsys):
    graph.save(tmp_path / "model.npz")
    out = tmp_path / "out"
    status, _, said = export_c(capsys, "--graph", tmp_path / "model.npz", "--out", out, flag, value)
    assert status == 2 and complaint in said and said.count("\n") == 1 and not out.exists()


def test_an_interrupted_export_is_finished_by_the_same_command(graph, tmp_path, monkeypatch):
    """Killed at any move of a file; the folder is never taken for a whole export, and never for a stranger's."""
    out, files = tmp_path / "out", c.emit(graph, "young")
    replace = os.replace
    for survived in (0, 1, len(files) // 2, len(files)):
        c.emit(graph, "old").write(out)
        moves = iter(range(1000))

        def until(source, target, moves=moves, survived=survived):
            if next(moves) == survived:
                raise KeyboardInterrupt
            replace(source, target)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "replace", until)
            files.write(out)
        assert survived == 0 or "unfinished" in json.loads((out / "report.json").read_text())
        (out / ".partial-left").mkdir()
        files.write(out)
        assert {p.relative_to(out).as_posix(): p.read_text() for p in out.rglob("*") if p.is_file()} == files
    (tmp_path / "new" / ".partial-left").mkdir(parents=True)
    (tmp_path / "new" / ".writing").write_text("")
    files.write(tmp_path / "new")


def test_a_full_disk_leaves_the_earlier_export(graph, tmp_path, monkeypatch):
    out, old = tmp_path / "out", c.emit(graph, "old")
    old.write(out)
    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: write(path, data) if path.name != "young.c" else
                        os.write(os.open("/dev/full", os.O_WRONLY), data))
    with pytest.raises(InputError, match="No space left on device"):
        c.emit(graph, "young").write(out)
    assert {p.relative_to(out).as_posix(): p.read_text() for p in out.rglob("*") if p.is_file()} == old


def test_no_link_leads_an_export_outside(graph, tmp_path):
    """Neither what a manifest names, nor a file or folder to be written."""
    out, elsewhere, files = tmp_path / "out", tmp_path / "elsewhere", c.emit(graph, "net")
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("mine")
    out.mkdir()
    (out / "link").symlink_to(elsewhere)
    (out / "Makefile").symlink_to(elsewhere / "precious")
    (out / "report.json").write_text(json.dumps({"tool": files.manifest["tool"], "files": [
        "link/precious", "link/../elsewhere/precious", "./Makefile", "Makefile", "src/../src/net.c", "", "."]}))
    files.write(out)
    files.write(out)
    assert (elsewhere / "precious").read_text() == "mine" and (out / "link").is_symlink()
    assert all((out / path).read_text() == text for path, text in files.items())
    for path in (out / "src").iterdir():
        path.unlink()
    (out / "src").rmdir()
    (out / "src").symlink_to(elsewhere)
    with pytest.raises(InputError, match=r"out/src leads out of \S+/out; remove that link"):
        files.write(out)
    assert [path.name for path in elsewhere.iterdir()] == ["precious"]
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    (tmp_path / "real").mkdir()
    files.write(tmp_path / "alias")
