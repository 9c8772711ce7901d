"""Static analysers on the exported folder: runtime, kernels, tables, demo. Each finds what is planted for it.

gcc's analyser follows pointers and memory along the paths of a function and those that it calls. cppcheck is there for
undefined and implementation-defined behaviour; of that the runtime needs right shifts of negative numbers to be
arithmetic, as docs/numerics.md says. clang-tidy checks what commonly goes wrong (bugprone) and that no error is dropped
(cert-err). Left out of it are four that the runtime's style makes noise of: parameters of one type side by side,
products of int32 as indices (the exporter bounds them), int8 widened to int, and branches whose sizes are equal in one
network and not in another.
"""

import subprocess

import pytest
from c_export import etinynet_graph, export, needs, ssd_graph

CHECKS = ("-*,bugprone-*,cert-err*,cert-flp*,cert-int*,-bugprone-easily-swappable-parameters,"
          "-bugprone-implicit-widening-of-multiplication-result,-bugprone-signed-char-misuse,-bugprone-branch-clone")
ANALYSERS = {
    "gcc": ["gcc", "-std=c99", "-O1", "-fanalyzer", "-Werror", "-c", "-o", "/dev/null"],
    "cppcheck": ["cppcheck", "--std=c99", "--quiet", "--enable=warning,portability,performance", "--error-exitcode=1",
                 "--suppress=shiftTooManyBitsSigned"],
    "clang-tidy": ["clang-tidy", "--quiet", f"--checks={CHECKS}", "--warnings-as-errors=*"],
}
AFTER = {"clang-tidy": ["--", "-std=c99"]}
PLANTED = {
    "gcc": ("src/etn_ranking.c", "*const one = &ranking->candidates[i].found;",
            "*const one = i ? &ranking->candidates[i].found : NULL;"),
    "cppcheck": ("src/etn_ranking.c", "    int32_t kept = 0;\n", "    int32_t kept;\n"),
    "clang-tidy": ("demo/trace.c", "sizeof bytes", "sizeof(bytes + 1)"),
}


def complaints(analyser, files):
    """What an analyser says of source files; empty if it finds nothing."""
    # gcc takes one file at a time where it writes an object.
    groups = [[path] for path in files] if analyser == "gcc" else [files]
    for group in groups:
        done = subprocess.run([*ANALYSERS[analyser], *map(str, group), *AFTER.get(analyser, [])],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
        if done.returncode:
            return done.stdout
    return ""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    work = tmp_path_factory.mktemp("analysed")
    return (export(ssd_graph("tiny", 33, classes=2), work / "detector"),
            export(etinynet_graph("tiny", 33, 4, classes=5), work / "classifier", camera="yuyv:64x48", self_test=True))


@pytest.mark.parametrize("analyser", ANALYSERS)
def test_nothing_is_found(analyser, folders):
    needs(analyser)
    detector, classifier = folders
    files = [*detector.glob("src/*.c"), *detector.glob("demo/*.c"),
             *(classifier / name for name in ("src/net.c", "demo/main.c", "src/etn_camera.c",
                                                 "src/etn_self_test.c"))]
    assert len(files) > 15
    assert complaints(analyser, files) == ""


@pytest.mark.parametrize("analyser", ANALYSERS)
def test_what_is_planted_is_found(analyser, folders):
    needs(analyser)
    name, right, wrong = PLANTED[analyser]
    path = folders[0] / name
    text = path.read_text()
    assert text.count(right) == 1
    path.write_text(text.replace(right, wrong))
    try:
        assert path.name in complaints(analyser, [path])
    finally:
        path.write_text(text)
