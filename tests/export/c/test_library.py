"""What a firmware's author meets: status codes, prefixes, compilers, C++, sizes."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from c_export import SANITIZE, call, etinynet_graph, export, images, logits, make, needs, raw, ssd_graph

from gluon_etinynet.export import c
from gluon_etinynet.export.c.kernel_sets import KERNEL_SETS
from gluon_etinynet.export.c.program import MCUS, DoesNotFit, simulate, sizes
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import run as interpret

HERE = Path(__file__).resolve().parent
STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]


@pytest.mark.parametrize("make_graph", [etinynet_graph, ssd_graph])
def test_every_misuse_has_its_status(make_graph, tmp_path):
    """Also: an arena of exactly the bytes asked for is enough, the sanitizer watching."""
    needs("cc")
    folder = export(make_graph("tiny", 33, classes=5), tmp_path / "network")
    runtime = sorted((folder / "src").glob("etn_*.c"))
    call(["cc", "-std=c99", *SANITIZE, "-I", folder / "src", "-o", tmp_path / "misuse", HERE / "misuse.c",
          *runtime])
    call([tmp_path / "misuse"])


@pytest.mark.slow
def test_widened_weights_have_the_room_that_they_take(tmp_path, monkeypatch):
    """Weights of the largest layer in an arena of exactly the bytes asked for; with less it overflows."""
    needs("cc")
    portable, graph = KERNEL_SETS["portable"], ssd_graph("0.75", 33, 4, classes=5)
    for name, kernels in (("enough", portable),
                          ("less", portable._replace(scratch=lambda role, outputs, taps: taps))):
        monkeypatch.setitem(KERNEL_SETS, "portable", kernels)
        folder = export(graph, tmp_path / name)
        runtime = sorted((folder / "src").glob("etn_*.c"))
        call(["cc", "-std=c99", *SANITIZE, "-I", folder / "src", "-o", tmp_path / "misuse", HERE / "misuse.c",
              *runtime])
        if name == "enough":
            call([tmp_path / "misuse"])
        else:
            with pytest.raises(InputError) as caught:
                call([tmp_path / "misuse"])
            assert b"heap-buffer-overflow" in caught.value.__cause__.stderr


def test_two_networks_in_one_cxx_program(tmp_path):
    needs("cc", "c++")
    graphs = {"one": etinynet_graph("tiny", 33, 8, classes=5),
              "two": etinynet_graph("tiny", 33, 4, classes=9, seed=7)}
    objects, flags = [], []
    for prefix, graph in graphs.items():
        folder = export(graph, tmp_path / prefix, prefix)
        flags += ["-I", folder / "include"]
        for source in sorted((folder / "src").glob("*.c")):
            objects.append(tmp_path / f"{prefix}-{source.stem}.o")
            call(["cc", "-std=c99", "-c", source, "-o", objects[-1]])
    call(["c++", "-std=c++11", *STRICT, *flags, "-o", tmp_path / "both", HERE / "two_networks.cc", *objects])
    image = images(graphs["one"])[0]
    computed = np.array(call([tmp_path / "both"], raw(image)).split(), np.int32)
    assert np.array_equal(computed, np.concatenate([interpret(g, image[None])[0] for g in graphs.values()]))


@pytest.mark.parametrize("compiler", ["gcc", pytest.param("clang", marks=pytest.mark.slow)])
def test_make_host_is_free_of_warnings(compiler, tmp_path):
    """The Makefile's flags hold -Wall -Wextra -Wconversion -Werror."""
    needs("make", compiler)
    graph = etinynet_graph("tiny", 33, 4, classes=5)
    folder, image = export(graph, tmp_path / "network"), images(graph)[0]
    assert set(STRICT) <= set((folder / "Makefile").read_text().split())
    for observe in ("", "trace", "profile"):
        make(folder, "host", f"CC={compiler}", f"OBSERVE={observe}")
    program = folder / "build" / "host" / "net"
    for way in ([], ["--pushed"]):
        assert np.array_equal(logits(program, image, *way), interpret(graph, image[None])[0])
    said = dict(line.split() for line in call([program], raw(image)).decode().splitlines())
    expected = interpret(graph, image[None])[0]
    assert said == {"class": str(expected.argmax()), "score": str(expected.max())}


def test_the_demo_refuses_an_image_of_another_size(tmp_path):
    needs("make", "cc")
    graph = etinynet_graph("tiny", 33, classes=5)
    folder = export(graph, tmp_path / "network")
    make(folder, "host")
    image = raw(images(graph)[0])
    for given, message in ((image[:-1], "too short"), (image + b"x", "too long")):
        for way in ([], ["--pushed"]):
            done = subprocess.run([str(folder / "build" / "host" / "net"), *way], input=given,
                                  capture_output=True)
            assert done.returncode == 2 and message in done.stderr.decode() and not done.stdout


@pytest.mark.parametrize("make_graph", [etinynet_graph, ssd_graph])
def test_the_runtime_takes_no_heap_no_float_and_no_stdio(make_graph, tmp_path):
    """Seen in the objects for a Cortex-M: nothing is undefined but copying and filling of memory."""
    needs("make", "arm-none-eabi-gcc", "arm-none-eabi-nm")
    folder = export(make_graph("tiny", 33, 4, classes=5), tmp_path / "network")
    make(folder, "elf")
    defined, used = set(), set()
    for path in sorted((folder / "build" / "cortex-m4-stm32f412" / "src").glob("*.o")):
        for line in call(["arm-none-eabi-nm", "-g", path]).decode().splitlines():
            *_, kind, name = line.split()
            (used if kind == "U" else defined).add(name)
    assert used - defined <= {"memcpy", "memset", "__aeabi_memcpy", "__aeabi_memset"}
    assert defined and all(name.startswith("net_") for name in defined)


ARENA_KIB = {("1.0", "portable"): (161, 125), ("0.75", "portable"): (158, 94),
             ("1.0", "dsp"): (166, 154), ("0.75", "dsp"): (160, 118),
             ("1.0", "mve"): (164, 128), ("0.75", "mve"): (161, 98)}


@pytest.mark.parametrize("width, kernels", ARENA_KIB)
@pytest.mark.parametrize("bits", [8, 4])
def test_arena_of_the_papers_networks(width, kernels, bits):
    report = c.emit(etinynet_graph(width, 224, bits), kernels=kernels).manifest
    stored, pushed = ARENA_KIB[width, kernels]
    assert report["arena_bytes"]["stored"] <= stored * 1024
    assert report["arena_bytes"]["pushed"] <= pushed * 1024


@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 4])
def test_the_largest_network_fits_a_megabyte_and_takes_a_third_of_cmsis_nns_instructions(bits, tmp_path):
    """By the kernels for DSP: 12 KiB of flash are left, and an instruction does nearly a multiply-accumulate."""
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = etinynet_graph("1.0", 224, bits)
    folder, image = export(graph, tmp_path / "network", kernels="dsp"), images(graph)[0]
    assert sizes(folder, "stm32f412").flash <= (1024 - 12) * 1024
    assert simulate(folder, "stm32f412", raw(image)).instructions <= 1.07 * 113.71e6


@pytest.mark.slow
@pytest.mark.parametrize("bits, millions", [(8, 40.0), (4, 40.9)])
def test_the_largest_network_by_the_vector_kernels_takes_a_third_of_an_instruction_a_product(bits, millions, tmp_path):
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = etinynet_graph("1.0", 224, bits)
    folder, image = export(graph, tmp_path / "network", kernels="mve"), images(graph)[0]
    assert simulate(folder, "apollo510", raw(image)).instructions <= 1.03e6 * millions


@pytest.mark.slow
@pytest.mark.parametrize("width, bits, kib", [("1.0", 8, 1024), ("1.0", 4, 560), ("0.75", 4, 410)])
def test_flash_of_the_papers_networks(width, bits, kib, tmp_path):
    """From the ELF: code and constants of the demo, its start-up included."""
    needs("make", "arm-none-eabi-gcc")
    folder = export(etinynet_graph(width, 224, bits), tmp_path / "network")
    flash = sizes(folder, "stm32f412").flash
    report = json.loads((folder / "report.json").read_text())
    assert report["flash_bytes"]["total"] < flash < report["flash_bytes"]["total"] + 18 * 1024
    assert flash <= kib * 1024
    if (width, bits) == ("0.75", 4):
        assert report["flash_bytes"]["weights"] <= 340 * 1024


@pytest.mark.slow
def test_what_does_not_fit_does_not_link(tmp_path):
    needs("make", "arm-none-eabi-gcc")
    folder = export(etinynet_graph("1.0", 224, 8, classes=1200), tmp_path / "network")
    done = subprocess.run(["make", "-s", "-C", str(folder), "elf"], capture_output=True)
    assert done.returncode and b"region `FLASH' overflowed" in done.stderr
    with pytest.raises(DoesNotFit, match=r"network does not fit stm32f412: region `FLASH' overflowed by \d+ bytes$"):
        sizes(folder, "stm32f412")
    assert 1 << 20 < sizes(folder, "stm32h743").flash < 2 << 20


def test_sizes_are_those_of_the_image_that_is_flashed(tmp_path):
    needs("make", "arm-none-eabi-gcc", "arm-none-eabi-objcopy")
    folder, image = export(etinynet_graph("tiny", 33, classes=5), tmp_path / "network"), tmp_path / "image.bin"
    flash, ram = sizes(folder, "stm32f412")
    call(["arm-none-eabi-objcopy", "-O", "binary", folder / "build" / "cortex-m4-stm32f412" / "net.elf", image])
    assert flash <= image.stat().st_size < flash + 8
    arena = json.loads((folder / "report.json").read_text())["arena_bytes"]["stored"]
    assert arena < ram < arena + 1024


def test_every_form_of_make_qemu_that_is_documented(tmp_path):
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = etinynet_graph("tiny", 33, classes=5)
    folder, image = export(graph, tmp_path / "network"), images(graph)[0]
    path = tmp_path / "an image's $5.raw"
    path.write_bytes(raw(image))
    expected = interpret(graph, image[None])[0]
    of_class = [f"class {expected.argmax()}", f"score {expected.max()}"]
    for words in ([], ["MACHINE=mps2-an500"], ["MACHINE=mps2-an500", "MCU=stm32h743"], ["MACHINE=mps3-an547"],
                  ["MACHINE=microbit"], ["MACHINE=mps2-an385"], ["MACHINE=mps2-an505"], ["ARGS=--pushed"]):
        said = make(folder, "qemu", *words, f"IMAGE={path}".replace("$", "$$")).decode().splitlines()
        rows = ["instructions_of_rows", "most_of_a_row"] if "ARGS=--pushed" in words else []
        assert said[:2] == of_class and [line.split()[0] for line in said[2:]] == [*rows, "instructions", "stack_bytes"]
    for stdin, words in ((raw(image), []), (None, [f"IMAGE={path}".replace("$", "$$")])):
        said = make(folder, "qemu", "ARGS=--logits  --pushed", *words, stdin=stdin)
        assert np.array_equal(np.array(said.split(), np.int32), expected)


def test_files_of_two_exports_are_refused(tmp_path):
    """By the compiler where one includes the other, by the linker where what includes a header is compiled apart."""
    needs("cc", "c++")
    graphs = [etinynet_graph("tiny", 33, classes=5), etinynet_graph("tiny", 33, classes=3),
              ssd_graph("tiny", 33, classes=5)]
    first, *others = [export(graph, tmp_path / str(number)) for number, graph in enumerate(graphs)]
    user = tmp_path / "user.c"
    user.write_text("#include <net.h>\nint main(void) { static uint64_t arena[NET_ARENA_BYTES / 8 + 1];\n"
                    "return net_init(arena, sizeof arena, ETN_STORED) != ETN_OK; }\n")
    tables = [*STRICT, "-pedantic", "-std=c99", *sorted((first / "src").glob("*.c")), "-o", tmp_path / "program"]
    call(["cc", user, "-I", first / "include", *tables])
    for other in others:
        with pytest.raises(InputError) as caught:
            call(["cc", user, "-I", other / "include", *tables])
        assert b"undefined reference to `net_init_of_export_" in caught.value.__cause__.stderr
        for path in ("include/net.h", "src/net.c", "demo/main.c", "src/etn_prefix.h"):
            kept = (first / path).read_text()
            (first / path).write_text((other / path).read_text())
            with pytest.raises(InputError, match="is of another export than"):
                for source in ("src/net.c", "demo/main.c"):
                    call(["cc", "-std=c99", "-fsyntax-only", first / source])
            (first / path).write_text(kept)
        call(["cc", "-std=c99", "-fsyntax-only", first / "src" / "net.c", first / "demo" / "main.c"])


def test_a_library_of_another_runtime_does_not_link(tmp_path, monkeypatch):
    """As by an export of another version of the package, whose ETN_VERSION may be the same."""
    needs("cc")
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    (kernels / "etn_other.c").write_text("typedef int etn_other;\n")
    graph = etinynet_graph("tiny", 33, classes=5)
    mine = export(graph, tmp_path / "mine")
    monkeypatch.setitem(KERNEL_SETS, "portable", KERNEL_SETS["portable"]._replace(folder=kernels))
    other = export(graph, tmp_path / "other")
    sources = [mine / "src" / "net.c", mine / "demo" / "main.c", mine / "demo" / "host.c"]
    with pytest.raises(InputError) as caught:
        call(["cc", "-std=c99", "-o", tmp_path / "program", *sources, *sorted((other / "src").glob("etn_*.c"))])
    assert b"undefined reference to `net_etn_" in caught.value.__cause__.stderr


@pytest.mark.parametrize("kernels, builds, other, said", [
    ("dsp", (("cortex-m4", "-O0"), ("cortex-m7", "-Os"), ("cortex-m33", "-O3")), "cortex-m3",
     "need a Cortex-M4, M7 or M33"),
    ("mve", (("cortex-m55", "-O0"), ("cortex-m55", "-Os"), ("cortex-m55", "-O3")), "cortex-m33",
     "need a Cortex-M55 or M85")])
def test_kernels_for_a_processor_are_free_of_warnings_and_of_names_of_their_own(kernels, builds, other, said, tmp_path):
    """By every optimisation, and for every core that they serve."""
    needs("arm-none-eabi-gcc", "arm-none-eabi-nm")
    folder = export(etinynet_graph("tiny", 33, classes=5), tmp_path / "network", kernels=kernels)
    for core, flag in builds:
        call(["arm-none-eabi-gcc", "-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-mcpu={core}",
              "-mthumb", *KERNEL_SETS[kernels].flags, flag, "-c", *sorted((folder / "src").glob("*.c"))], cwd=tmp_path)
        names = call(["arm-none-eabi-nm", "-g", "--defined-only", *sorted(tmp_path.glob("*.o"))]).decode().split()
        assert [name for name in names if name.startswith("etn_")] == []
    with pytest.raises(InputError, match=said):
        call(["arm-none-eabi-gcc", f"-mcpu={other}", "-mthumb", "-c", folder / "src" / "etn_block.c"], cwd=tmp_path)
    with pytest.raises(InputError, match="export with --kernels portable"):
        make(folder, "host")


def test_objects_of_other_flags_are_made_anew(tmp_path):
    needs("make", "arm-none-eabi-gcc")
    folder = export(etinynet_graph("tiny", 33, classes=5), tmp_path / "network")
    small, large = (sizes(folder, "stm32f412", cflags) for cflags in ("-Os", "-O3"))
    assert small.flash < large.flash
    assert sizes(folder, "stm32f412", "-Os") == small
    unchanged = [path.stat().st_mtime_ns for path in sorted(folder.rglob("*.o"))]
    sizes(folder, "stm32f412", "-Os")
    assert [path.stat().st_mtime_ns for path in sorted(folder.rglob("*.o"))] == unchanged


def test_the_memory_of_the_microcontrollers():
    """As their data sheets have it."""
    assert {name: (mcu.processor, mcu.flash // 1024, mcu.ram // 1024) for name, mcu in MCUS.items()} == {
        "stm32f412": ("Cortex-M4", 1024, 256), "stm32f427": ("Cortex-M4", 2048, 256),
        "stm32f746": ("Cortex-M7", 1024, 320),
        "stm32h743": ("Cortex-M7", 2048, 512), "nrf51822": ("Cortex-M0", 256, 16),
        "stm32f205": ("Cortex-M3", 1024, 128), "stm32l552": ("Cortex-M33", 512, 256),
        "apollo510": ("Cortex-M55", 4096, 3072)}


def test_a_program_too_large_for_ram_and_one_that_does_not_compile(tmp_path):
    needs("make", "arm-none-eabi-gcc")
    folder = export(etinynet_graph("tiny", 33, classes=5), tmp_path / "network")
    main = folder / "demo" / "main.c"
    main.write_text(main.read_text() + "\nvolatile char more[260000];\nint use(void) { return more[0]; }\n")
    script = folder / "demo" / "cortex_m" / "stm32f412.ld"
    script.write_text(script.read_text() + "EXTERN(use)\n")
    with pytest.raises(DoesNotFit, match="RAM are left for the stack|region `RAM' overflowed"):
        sizes(folder, "stm32f412")
    main.write_text(main.read_text() + "no C")
    with pytest.raises(InputError, match="error:") as caught:
        sizes(folder, "stm32f412")
    assert not isinstance(caught.value, DoesNotFit)
