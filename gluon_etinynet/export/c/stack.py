"""The stack that functions take, followed along their calls: from what GCC writes with -fcallgraph-info=su.

GCC does not look into functions that are written in assembly (`naked`): what these push is read in their code.
"""

import re
from typing import Dict, NamedTuple, Set

from ...files import InputError

__all__ = ["Function", "deepest", "read_calls"]


class Function(NamedTuple):
    """Its own bytes of stack, None if the compiler does not know them, and the functions that it calls."""

    stack: int
    calls: Set[str]


def read_calls(files, disassemble=lambda path: "") -> Dict[str, Function]:
    """Read .ci files, one for each source; returns the functions by name, static ones as file:name.

    `disassemble` gives what objdump says of a .ci file's object.
    """
    found = {}
    for path in files:
        text, pushed = path.read_text(), _pushed(disassemble(path))
        for title, label in re.findall(r'node: \{ title: "([^"]+)" label: "([^"]*)"', text):
            size = re.search(r"(\d+) bytes \((static|dynamic,bounded)\)", label)
            if size:
                found[title] = Function(int(size[1]) or pushed.get(title.split(":")[-1], 0), set())
            elif "(dynamic)" in label:
                raise InputError(f"{path}: the stack of {title} is not bounded; compile it without variable arrays")
        for source, target in re.findall(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', text):
            if source in found:
                found[source].calls.add(target)
    return found


def _pushed(disassembly):
    """Bytes that the functions of an object of Arm's push, by name."""
    found = {}
    for name, code in re.findall(r"^[0-9a-f]+ <(\w+)>:\n((?:.+\n)*)", disassembly, re.MULTILINE):
        registers = re.findall(r"\t(?:push(?:\.w)?\s+|stmdb\s+sp!, )\{([^}]*)\}", code)
        down = re.findall(r"\tsub(?:\.w)?\tsp, (?:sp, )?#(\d+)", code)
        found[name] = 4 * sum(len(each.split(",")) for each in registers) + sum(map(int, down))
    return found


def deepest(calls, name, above=()):
    """Return the most bytes of stack below and with a function, and the path of calls to them.

    Functions of other libraries, as memcpy, count nothing.

    Raises
    ------
    InputError
        If functions call each other in a circle.
    """
    if name in above:
        raise InputError(f"{name} calls itself; its stack is not bounded")
    function = calls.get(name, Function(0, set()))
    size, path = max((deepest(calls, called, (*above, name)) for called in sorted(function.calls) if called in calls),
                     default=(0, []), key=lambda found: found[0])
    label = re.sub(r"^.*:|^.*_etn_[0-9a-f]{8}_", "", name)
    return function.stack + size, [f"{label} {function.stack}", *path]
