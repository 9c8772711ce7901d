"""ROM files: the layout word by word, reading back, faults, the command line."""

import copy
import hashlib
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running import assert_one_line, load, run
from small_roms import small_graph, written

from gluon_etinynet.export.fpga import roms
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import Graph, Node, QuantParams, Tensor
from gluon_etinynet.integer.random_graphs import conv_attrs, etinynet_graph

bram = load("benchmarks/bram.py")


def with_checksums(files):
    """The files with SHA256SUMS made anew, as someone would who edits them on purpose."""
    sums = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n"
                   for name, text in files.items() if name != roms.CHECKSUMS)
    return dict(files, **{roms.CHECKSUMS: sums})


def with_word(files, memory, word, change):
    """The files with one word changed in all three views."""
    lines = files[f"{memory}.mem"].splitlines()
    old = lines[word]
    new = f"{change(int(old, 16)):0{len(old)}x}"
    lines[word] = new
    files = dict(files, **{f"{memory}.mem": "".join(line + "\n" for line in lines)})
    for view, pattern in (("coe", r"(?:[0-9a-f]+[,;]\n)"), ("mif", r"(?:[0-9A-F]+ : [0-9a-f]+;\n)")):
        text = files[f"{memory}.{view}"]
        start = text.index("vector=\n") + 8 if view == "coe" else 0
        place = re.findall(pattern, text[start:])[word]
        files[f"{memory}.{view}"] = text.replace(place, place.replace(old, new), 1)
    return with_checksums(files)


def signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) else value


# ---- Layout and reading back ----

@settings(max_examples=30)
@given(seed=st.integers(0, 1 << 30), v=st.sampled_from(roms.WORD_CHANNELS), bits=st.sampled_from([2, 3, 4]),
       channels=st.tuples(*[st.integers(1, 70)] * 3), biased=st.booleans())
def test_every_value_is_in_its_place_and_is_read_back(tmp_path_factory, seed, v, bits, channels, biased):
    graph = small_graph(np.random.default_rng(seed), channels, bits, biased)
    files = roms.emit(graph, v)
    folder = written(tmp_path_factory.mktemp("rom"), files)
    roms.verify(folder, graph)
    arrays = roms.read(folder)
    for node in graph.nodes:
        for key in ("weight", "multiplier", "offset", "bias"):
            expected, got = node.attrs.get(key), arrays[node.output][key]
            assert (expected is None) == (got is None)
            if expected is not None:
                assert got.dtype == expected.dtype
                np.testing.assert_array_equal(got, expected)
    assert ("bias.mem" in files) == biased

    # The layout of docs/rom.md, computed by cutting each array into words from the outside in.
    expected = {"pointwise": [], "depthwise": [], "requantise": [], "bias": []}
    for node in graph.nodes:
        weight = node.attrs.get("weight")
        if weight is not None and node.output in ("pw", "logits"):
            for first in range(0, len(weight), 8):
                for start in range(0, weight.shape[1], v):
                    block = np.zeros((8, v), int)
                    part = weight[first:first + 8, start:start + v, 0, 0]
                    block[:len(part), :part.shape[1]] = part
                    expected["pointwise"].append(word_of(block.ravel(), 4))
        elif weight is not None:
            for first in range(0, len(weight), v):
                for tap in weight[first:first + v].reshape(len(weight[first:first + v]), -1).T:
                    expected["depthwise"].append(word_of(tap, 4))
        bias = node.attrs.get("bias")
        for first in range(0, len(node.attrs["multiplier"]), 8):
            m, o = (node.attrs[key][first:first + 8] for key in ("multiplier", "offset"))
            lanes = [(int(mm) & 0xffff) + ((int(oo) & 0xfffff) << 16) for mm, oo in zip(m, o)]
            expected["requantise"].append(word_of(lanes, 36))
            bits_of_bias = files.manifest["field_bits"]["bias"]
            expected["bias"].append(0 if bias is None else word_of(bias[first:first + 8], bits_of_bias))
    for memory in ("pointwise", "depthwise", "requantise") + (("bias",) if biased else ()):
        assert [int(line, 16) for line in files[f"{memory}.mem"].splitlines()] == expected[memory], memory


def word_of(lanes, bits):
    return sum((int(value) % (1 << bits)) << (bits * lane) for lane, value in enumerate(lanes))


def test_the_example_of_the_documentation():
    weight = np.zeros((9, 10, 1, 1), np.int8)
    weight[0, 0], weight[0, 1], weight[1, 0], weight[0, 8], weight[8, 0] = -7, 3, 5, 2, -1
    graph = Graph("example", Tensor("image", (10, 1, 1), QuantParams(1.0)))
    attrs = conv_attrs(np.random.default_rng(0), graph.image, 0, weight.shape, 4, weight=weight)
    attrs["bias"] = None
    graph.append(Node("conv2d", ["image"], "pw", attrs), QuantParams(0.1))
    assert [line.lstrip("0") for line in roms.emit(graph, 8)["pointwise.mem"].splitlines()] == [
        "500000039", "2", "f", ""]


def test_views_hold_the_same_words_and_the_header_their_sizes():
    files = roms.emit(etinynet_graph("tiny", 32, 4, 10), 8)
    header = dict(re.findall(r"localparam (\w+) = (\d+);", files["etinynet_roms.vh"]))
    for name, memory in files.manifest["memories"].items():
        words = files[f"{name}.mem"].split("\n")
        assert words.pop() == "" and len(words) == memory["depth"] == int(header[f"{name.upper()}_DEPTH"])
        assert {len(word) for word in words} == {-(-memory["width"] // 4)}
        assert memory["width"] == memory["lanes"] * memory["lane_bits"]
        assert memory["width"] == int(header[f"{name.upper()}_WIDTH"])
        radix, vector = files[f"{name}.coe"].split("memory_initialization_vector=")
        assert radix == "memory_initialization_radix=16;\n" and vector.strip(" \n;").split(",\n") == words
        rows = re.findall(r"^([0-9A-F]+) : (\w+);$", files[f"{name}.mif"], re.MULTILINE)
        assert [(int(address, 16), word) for address, word in rows] == list(enumerate(words))
        assert f"DEPTH = {memory['depth']};\nWIDTH = {memory['width']};\n" in files[f"{name}.mif"]


@pytest.mark.parametrize("offset, bits", [((1 << 19) - 1, 20), (-(1 << 19), 20), (1 << 19, 21),
                                          (-(1 << 23) + 1, 24)])
def test_extreme_values_are_held(tmp_path, offset, bits):
    graph = small_graph(np.random.default_rng(1), (5, 9, 3), 4)
    attrs = graph.nodes[1].attrs
    attrs["offset"][:2], attrs["multiplier"][:2] = (offset, -1), (32767, -32767)
    attrs["shift"], attrs["bias"][:2] = 0, (1 << 30, -(1 << 30))
    files = roms.emit(graph, 8)
    roms.verify(written(tmp_path / "rom", files), graph)
    fields = files.manifest["field_bits"]
    assert fields == {"weight": 4, "multiplier": 16, "offset": bits, "bias": 32}


def test_networks_of_the_paper_have_the_words_that_were_sized():
    expected = {("0.75", 24): ((3290, 768), (1206, 96), (741, 288)),
                ("1.0", 32): ((3568, 1024), (1152, 128), (910, 288))}
    for (width, v), sizes in expected.items():
        graph = etinynet_graph(width, bits=4)
        memories = roms.emit(graph, v).manifest["memories"]
        assert tuple((memories[name]["depth"], memories[name]["width"])
                     for name in ("pointwise", "depthwise", "requantise")) == sizes
        assert bram.activation_words(graph, v) == 3920


def test_same_network_same_bytes():
    assert roms.emit(etinynet_graph("tiny", 32, 4), 24) == roms.emit(etinynet_graph("tiny", 32, 4), 24)


# ---- Faults ----

@pytest.fixture(scope="module")
def small():
    graph = small_graph(np.random.default_rng(7), (9, 10, 11), 4)
    return graph, roms.emit(graph, 8)


def test_a_changed_weight_is_named(small, tmp_path):
    graph, files = small
    layers = {layer["name"]: layer for layer in files.manifest["layers"]}
    base = layers["pw"]["weight_base"]
    value = graph.nodes[2].attrs["weight"][8, 8, 0, 0]
    # Output 8 is lane group 0 of the second row of words, input 8 lane 0 of the second word of that row.
    changed = with_word(files, "pointwise", base + 3, lambda word: word ^ 1)
    with pytest.raises(InputError) as caught:
        roms.verify(written(tmp_path / "rom", changed), graph)
    other = signed((int(value) & 15) ^ 1, 4)
    assert str(caught.value).endswith(f"pointwise.mem: word {base + 3} holds {other} where "
                                      f"pw/weight[8, 8, 0, 0] of the network is {value}")


@pytest.mark.parametrize("memory, key, bit", [("requantise", "multiplier", 0), ("requantise", "offset", 16),
                                              ("bias", "bias", 0)])
def test_a_changed_parameter_is_named(small, tmp_path, memory, key, bit):
    graph, files = small
    folder = written(tmp_path / "rom", with_word(files, memory, 0, lambda word: word ^ 1 << bit))
    with pytest.raises(InputError, match=rf"{memory}.mem: word 0 holds .* where stem/{key}\[0\]"):
        roms.verify(folder, graph)


def test_roms_of_another_network_are_refused(small, tmp_path):
    graph, files = small
    other = copy.deepcopy(graph)
    other.nodes[0].attrs["bias"] = None
    with pytest.raises(InputError, match="stem/bias is not of the network's shape"):
        roms.verify(written(tmp_path / "rom", files), other)


FAULTS = {
    "altered": (lambda f: dict(f, **{"pointwise.mem": f["pointwise.mem"].replace("1", "2", 1)}),
                r"pointwise\.mem has been altered"),
    "module altered": (lambda f: dict(f, **{"rom.v": f["rom.v"] + "\n"}), r"rom\.v has been altered"),
    "short": (lambda f: with_checksums(dict(f, **{"bias.mem": f["bias.mem"].split("\n", 1)[1]})),
              r"bias\.mem has \d+ lines, its memory \d+ words"),
    "comment": (lambda f: with_checksums(dict(f, **{"bias.mem": "//" + f["bias.mem"][2:]})),
                r"bias\.mem: line 1 is no word of \d+ bits"),
    "view differs": (lambda f: with_checksums(dict(f, **{"bias.coe": f["bias.coe"].replace("=16", "=2")})),
                     r"bias\.coe does not hold the words of bias\.mem"),
    "padding": (lambda f: with_word(f, "depthwise", 27, lambda word: word | 1 << 31),
                r"depthwise\.mem: word 27 holds a value where it should be zero"),
    "no checksum": (lambda f: dict(f, **{roms.CHECKSUMS: ""}), r"etinynet_roms\.json has been altered"),
    "no map": (lambda f: dict(f, **{roms.ADDRESS_MAP: "{}"}),
               r"etinynet_roms\.json is missing or no address map"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_folder_is_refused(small, tmp_path, fault):
    change, message = FAULTS[fault]
    with pytest.raises(InputError, match=message):
        roms.read(written(tmp_path / "rom", change(small[1])))


def test_a_missing_file_is_named(small, tmp_path):
    folder = written(tmp_path / "rom", small[1])
    (folder / "depthwise.mif").unlink()
    with pytest.raises(InputError, match=r"cannot read .*depthwise\.mif"):
        roms.read(folder)


def test_unsupported_words_are_refused(small):
    with pytest.raises(ValueError, match="16 channels"):
        roms.emit(small[0], 16)


# ---- The command line ----

def export(*arguments):
    return run("tools/export_rom.py", *arguments)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_export_writes_what_the_checksums_say_and_writes_it_again(small, tmp_path):
    graph, files = small
    graph.save(tmp_path / "model.npz")
    arguments = ("--graph", tmp_path / "model.npz", "--word-channels", 8, "--out", tmp_path / "new" / "rom")
    for _ in range(2):
        done = export(*arguments)
        assert done.returncode == 0, done.stderr
        assert contents(tmp_path / "new" / "rom") == {name: text.encode() for name, text in files.items()}
    assert "written and read back" in done.stdout
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["rom"]


def test_a_folder_of_others_is_refused_without_force(small, tmp_path):
    small[0].save(tmp_path / "model.npz")
    out = tmp_path / "rom"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    arguments = ("--graph", tmp_path / "model.npz", "--out", out)
    refused = export(*arguments)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "is not empty and no export of" in refused.stderr
    assert contents(out) == {"thesis.txt": b"years of work"}
    assert export(*arguments, "--force").returncode == 0
    assert (out / "thesis.txt").read_text() == "years of work" and roms.read_address_map(out)
    in_the_way = export("--graph", tmp_path / "model.npz", "--out", out / "thesis.txt")
    assert in_the_way.returncode == 2 and "is a file" in in_the_way.stderr


def test_roms_of_another_prefix_are_not_lost(small, tmp_path):
    small[0].save(tmp_path / "model.npz")
    arguments = ("--graph", tmp_path / "model.npz", "--word-channels", 8, "--out", tmp_path / "rom", "--prefix")
    assert export(*arguments, "a").returncode == export(*arguments, "a").returncode == 0
    before = contents(tmp_path / "rom")
    assert_one_line(export(*arguments, "b"), "holds ROMs of another prefix")
    assert contents(tmp_path / "rom") == before


def test_weights_of_8_bits_are_refused_in_one_line(tmp_path):
    etinynet_graph("tiny", 32, 8).save(tmp_path / "model.npz")
    refused = export("--graph", tmp_path / "model.npz", "--out", tmp_path / "rom")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "stem.conv has weights of 8 bits" in refused.stderr and not (tmp_path / "rom").exists()


def test_word_channels_change_the_words(small, tmp_path):
    small[0].save(tmp_path / "model.npz")
    for v in roms.WORD_CHANNELS:
        out = tmp_path / str(v)
        done = export("--graph", tmp_path / "model.npz", "--out", out, "--word-channels", v)
        assert done.returncode == 0, done.stderr
        assert roms.read_address_map(out)["memories"]["depthwise"]["lanes"] == v


@pytest.mark.parametrize("prefix", ["2net", "a-b", "_", "x\n", "é", "x" * 65])
def test_a_prefix_that_is_none(small, prefix):
    with pytest.raises(InputError, match="prefix .* is none"):
        roms.emit(small[0], 8, prefix)


def test_an_export_with_a_prefix_reads_back(small, tmp_path):
    files = roms.emit(small[0], 8, "net")
    roms.verify(files.write(tmp_path / "rom"), small[0])
    assert "localparam NET_OUTPUTS = 8;" in files["net_roms.vh"]
    assert {name for name in files if not name.startswith("net_")} == {roms.ADDRESS_MAP, roms.CHECKSUMS}
