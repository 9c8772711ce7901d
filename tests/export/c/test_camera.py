"""Firmware with a camera: the same image as Python's, torn frames, its memory, its names."""

from pathlib import Path

import numpy as np
import pytest
from c_export import SANITIZE, call, etinynet_graph, export, logits, make, needs

from gluon_etinynet.data.camera import FORMATS, Camera, inverse_of, sum_of_weights
from gluon_etinynet.export import c
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import pixels_to_input
from gluon_etinynet.integer import run as interpret

HERE = Path(__file__).resolve().parent
GRAPH = etinynet_graph("tiny", 33, 4, classes=5)
CASES = 60  # of each format; sizes of frames and images on either side of each other


def random_frame(camera, rng):
    """Bytes of which a third are at the ends of their range."""
    frame = rng.integers(0, 256, (camera.height, camera.row_bytes), np.uint8)
    return np.where(rng.random(frame.shape) < 0.3, rng.choice(np.uint8([0, 255]), frame.shape), frame)


def case(name, rng):
    """One case as resample.c takes it, and the image that it should print."""
    width, height, rows, columns = (int(n) for n in rng.integers(2, rng.choice([6, 20, 70]), 4))
    if rng.random() < 0.15:
        rows, columns = height, width
    camera = Camera(name, width + width % 2, height)
    part = (7, 8) if rng.random() < 0.5 else (1, 1)
    frame = random_frame(camera, rng)
    left, top, w, h = camera.centre(rows, columns, part)
    inverse = inverse_of(sum_of_weights(w, columns) * sum_of_weights(h, rows))
    numbers = np.array([camera.row_bytes, inverse, camera.height, left, top, w, h, columns, rows, 0], np.uint32)
    return numbers.tobytes() + frame.tobytes(), pixels_to_input(camera.image(frame, rows, columns, part))


def resampler(name, work, flags, change=lambda text: text):
    """resample.c for a format, `change` being applied to the runtime's camera."""
    folder = export(GRAPH, work / name, camera=f"{name}:52x40")
    source = folder / "src" / "etn_camera.c"
    source.write_text(change(source.read_text()))
    program = work / f"resample-{name}"
    call(["cc", "-std=c99", *flags, "-I", folder / "src", "-o", program, HERE / "resample.c", source])
    return program


def differing(program, name, seed):
    """How many of the cases give another image than Python."""
    rng = np.random.default_rng(seed)
    given, expected = zip(*(case(name, rng) for _ in range(CASES)))
    got, position, count = call([program], b"".join(given)), 0, 0
    for image in expected:
        values = np.frombuffer(got, np.int8, image.size, position).reshape(*image.shape[1:], 3)
        position += image.size
        count += not np.array_equal(values.transpose(2, 0, 1), image)
    assert position == len(got)
    return count


@pytest.mark.parametrize("name", FORMATS)
def test_every_image_is_pythons(name, tmp_path):
    """Of sizes at random; of two formats the sanitizers watch rows and sums of exactly their size."""
    needs("cc")
    flags = SANITIZE if name in ("rgb565le", "yuyv") else ["-O0"]
    assert differing(resampler(name, tmp_path, flags), name, list(FORMATS).index(name)) == 0


@pytest.mark.parametrize("right, wrong", [
    (" + 0x80000000u", ""), ("at < last", "at <= last"), ("end >= wanted", "end > wanted"),
    ("y == 0 || fraction", "fraction")])
def test_a_planted_fault_is_seen(right, wrong, tmp_path):
    needs("cc")

    def plant(text):
        assert text.count(right) == 1
        return text.replace(right, wrong)

    try:
        assert differing(resampler("gray8", tmp_path, ["-O0"], plant), "gray8", 0) > 0
    except InputError as error:  # by a number of rows that is wrong
        assert "resample-gray8 failed" in str(error)


@pytest.mark.parametrize("camera, kernels", [("rgb565le:52x40", "portable"), ("yuyv:24x30", "simd")])
def test_logits_from_a_camera(camera, kernels, tmp_path):
    """A frame that is reduced and one that is enlarged, by the demo; without warnings."""
    needs("make", "cc")
    folder, of = export(GRAPH, tmp_path / "network", kernels=kernels, camera=camera), Camera.parse(camera)
    make(folder, "host", "CFLAGS=-O0")
    frame = random_frame(of, np.random.default_rng(0))
    image = pixels_to_input(of.image(frame, 33, 33))
    computed = np.array(call([folder / "build" / "host" / "net", "--logits", "--camera"], frame.tobytes()).split(), int)
    assert np.array_equal(computed, interpret(GRAPH, image[None])[0])
    assert np.array_equal(computed, logits(folder / "build" / "host" / "net", image, "--pushed"))
    for given, complaint in ((frame.tobytes()[:-1], "too short"), (frame.tobytes() + b"x", "too long")):
        with pytest.raises(InputError, match=complaint):
            call([folder / "build" / "host" / "net", "--camera"], given)


def test_a_torn_frame_is_a_status_and_never_a_class(tmp_path):
    needs("cc")
    folder = export(GRAPH, tmp_path / "network", camera="rgb565le:52x40")
    call(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-DETN_OBSERVED", "-I", folder / "include", "-I", folder,
          "-o", tmp_path / "torn",
          HERE / "torn_frames.c", *sorted((folder / "src").glob("*.c"))])
    call([tmp_path / "torn"])


def test_two_networks_with_cameras_in_one_firmware(tmp_path):
    """Whose formats differ, as their sizes do; and no global name is without its network's prefix."""
    needs("cc", "nm")
    graphs = {"one": GRAPH, "two": etinynet_graph("tiny", 25, 8, classes=7, seed=7)}
    cameras = {"one": Camera.parse("rgb565be:52x40"), "two": Camera.parse("yuyv:32x24")}
    flags = []
    for prefix, graph in graphs.items():
        folder = c.emit(graph, prefix, camera=cameras[prefix], self_test=True).write(tmp_path / prefix)
        flags += ["-I", folder / "include"]
        call(["cc", "-std=c99", "-c", *(folder / "src").glob("*.c")], cwd=folder)
    objects = sorted(tmp_path.glob("*/*.o"))
    call(["cc", "-std=c99", "-Wall", *flags, "-o", tmp_path / "both", HERE / "two_cameras.c", *objects])
    names = [line.split()[-1] for line in call(["nm", "-g", "--defined-only", *objects]).decode().splitlines()
             if len(line.split()) == 3]
    assert len(names) > 40 and all(name.startswith(("one_", "two_")) for name in names)
    rng = np.random.default_rng(0)
    frames = {prefix: random_frame(camera, rng) for prefix, camera in cameras.items()}
    stream = b"".join(frame[y].tobytes() for y in range(40) for frame in frames.values() if y < len(frame))
    computed = np.array(call([tmp_path / "both"], stream).split(), int)
    seen = {prefix: cameras[prefix].image(frames[prefix], *graph.image.shape[1:]) for prefix, graph in graphs.items()}
    expected = [interpret(graph, pixels_to_input(seen[prefix])[None])[0] for prefix, graph in graphs.items()]
    assert np.array_equal(computed, np.concatenate(expected))


def test_the_camera_of_the_papers_network_takes_no_memory():
    """Its row lies where later steps have their maps."""
    graph = etinynet_graph("1.0", 224)
    arenas = [c.emit(graph, "net", "dsp", camera).manifest["arena_bytes"]
              for camera in (None, Camera.parse("rgb565le:320x240"))]
    assert arenas[0] == arenas[1]


def test_cameras_that_do_not_serve(tmp_path):
    with pytest.raises(InputError, match="too large for an image"):
        c.emit(GRAPH, "net", camera=Camera("gray8", 8000, 8000))
