"""The processors of targets.py: how the exported demo is compiled for each, how it runs here, what that needs."""

import shutil
from pathlib import Path
from typing import Callable, Dict, NamedTuple, Tuple

from gluon_etinynet.export.c.kernel_sets import HOST, KERNEL_SETS, WASM
from gluon_etinynet.export.c.program import MCUS, build_elf, call, make

__all__ = ["TARGETS", "Compiler", "Target", "missing", "version"]


class Compiler(NamedTuple):
    """A compiler for a target.

    Parameters
    ----------
    command : str
        With the flags that choose the target.
    needs : tuple of str
        Programs and files without which it does not compile.
    packages : str
        Of Debian 12, which have these.
    link_flags : str
    lto : bool
        Whether it optimises while it links: clang does by lld, which does not link the demo for a Cortex-M.
    """

    command: str
    needs: Tuple[str, ...]
    packages: str
    link_flags: str = ""
    lto: bool = True


class Target(NamedTuple):
    """A processor.

    Parameters
    ----------
    runs : str
        In words, on what the program runs.
    needs, packages
        As of a Compiler, of what runs the program.
    kernels : tuple of str
        The sets of kernels that it can run.
    compilers : dict from str to Compiler
    build : callable
        Of folder, Compiler, flags of optimisation, and "trace" or ""; returns a function that runs the program on an
        image, with further arguments, and returns its standard output, bytes.
    """

    runs: str
    needs: Tuple[str, ...]
    packages: str
    kernels: Tuple[str, ...]
    compilers: Dict[str, Compiler]
    build: Callable


def missing(target, compiler):
    """The packages to install before `compiler` can be tried on `target`; empty if nothing is missing."""
    packages = ((target.needs, target.packages), (compiler.needs, compiler.packages))
    return " ".join(names for needs, names in packages
                    if not all(Path(need).exists() if "/" in need else shutil.which(need) for need in needs))


def version(compiler):
    """What a Compiler says of its version, one line."""
    return call([*compiler.command.split(), "--version"]).decode().splitlines()[0]


# ---- How they are built and run ----

def _linux(emulator=()):
    """By ``make host``; linked statically where an emulator runs it."""
    def build(folder, compiler, flags, observe):
        static = "-static " if emulator else ""
        make(folder, "host", f"CC={compiler.command}", f"CFLAGS={flags}", f"OBSERVE={observe}",
             f"LDFLAGS={static}{compiler.link_flags}")
        program = folder / "build" / ("host-trace" if observe else "host") / "net"
        return lambda image, *arguments: call([*emulator, program, *arguments], image)
    return build


def _cortex_m(mcu):
    def build(folder, compiler, flags, observe):
        variables = f"ARM_CC={compiler.command}", f"CFLAGS={flags}", f"OBSERVE={observe}"
        build_elf(folder, mcu, *variables)
        return lambda image, *arguments: make(folder, "qemu", f"MACHINE={MCUS[mcu].machine}", f"MCU={mcu}", *variables,
                                              f"ARGS={' '.join(arguments)}", stdin=image)
    return build


def _wasm(folder, compiler, flags, observe):
    make(folder, "wasm", f"CLANG={compiler.command}", f"CFLAGS={flags}", f"OBSERVE={observe}")
    program = folder / "build" / ("wasm-trace" if observe else "wasm") / "net.wasm"
    return lambda image, *arguments: call(["node", folder / "demo" / "wasm" / "run.js", program, *arguments], image)


def _riscv(folder, compiler, flags, observe):
    """Without a C library, with the functions of memory that the demo has for WebAssembly."""
    demo, machine = folder / "demo", ["-march=rv32imac", "-mabi=ilp32"]
    options = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", *machine, "-ffreestanding",
               "-isystem", demo / "wasm", "-I", demo, *flags.split()]
    work = folder / "build" / ("riscv-trace" if observe else "riscv")
    work.mkdir(parents=True, exist_ok=True)
    memory, program = work / "memory.o", work / "net"
    command = compiler.command.split()
    call([*command, *options, "-fno-lto", "-c", demo / "wasm" / "memory.c", "-o", memory])
    libgcc = call(["riscv64-unknown-elf-gcc", *machine, "-print-libgcc-file-name"]).decode().strip()
    sources = [*sorted((folder / "src").glob("*.c")), demo / "main.c", Path(__file__).with_name("riscv_port.c")]
    observed = ["-DETN_OBSERVED", demo / "trace.c"] if observe else []
    call([*command, *options, "-nostdlib", "-static", *compiler.link_flags.split(), *sources, *observed, memory, libgcc,
          "-o", program])
    return lambda image, *arguments: call(["qemu-riscv32", program, *arguments], image)


# ---- Which there are ----

LLD = "-fuse-ld=lld"


def _kernels(processor):
    return tuple(name for name, kernels in KERNEL_SETS.items() if kernels.serves(processor))


def _cross(triple, gcc, libc):
    """gcc and clang for a Linux of another processor."""
    headers = f"/usr/{triple}/include"
    packages = f"gcc-{gcc} {libc}"
    return {"gcc": Compiler(f"{triple}-gcc", (f"{triple}-gcc", f"{headers}/stdio.h"), packages),
            "clang": Compiler(f"clang --target={triple} -isystem {headers}",
                              ("clang", "ld.lld", f"{triple}-gcc", f"{headers}/stdio.h"), f"clang lld {packages}", LLD)}


def _mcu(name):
    newlib = "/usr/lib/arm-none-eabi/include"
    gcc = ("arm-none-eabi-gcc", f"{newlib}/string.h"), "gcc-arm-none-eabi libnewlib-arm-none-eabi"
    compilers = {"gcc": Compiler("arm-none-eabi-gcc", *gcc),
                 "clang": Compiler(f"clang --target=arm-none-eabi -isystem {newlib}", ("clang", *gcc[0]),
                                   f"clang {gcc[1]}", lto=False)}
    return Target(f"QEMU's {MCUS[name].machine}", ("make", "qemu-system-arm"), "make qemu-system-arm",
                  _kernels(MCUS[name].processor), compilers, _cortex_m(name))


def _user(emulator, kernels, compilers):
    return Target(f"{emulator}, user mode", ("make", emulator), "make qemu-user", kernels, compilers,
                  _linux((emulator,)))


TARGETS = {
    "x86-64": Target("this computer", ("make",), "make", _kernels(HOST), {
        "gcc": Compiler("gcc", ("gcc",), "gcc"),
        "clang": Compiler("clang", ("clang", "ld.lld"), "clang lld", LLD)}, _linux()),
    "i386": _user("qemu-i386", _kernels(HOST), _cross("i686-linux-gnu", "i686-linux-gnu", "libc6-dev-i386-cross")),
    "arm64": _user("qemu-aarch64", ("portable",),
                   _cross("aarch64-linux-gnu", "aarch64-linux-gnu", "libc6-dev-arm64-cross")),
    "powerpc": _user("qemu-ppc", ("portable",),
                     _cross("powerpc-linux-gnu", "powerpc-linux-gnu", "libc6-dev-powerpc-cross")),
    "riscv32": Target("qemu-riscv32, user mode", ("qemu-riscv32",), "qemu-user", ("portable",), {
        "gcc": Compiler("riscv64-unknown-elf-gcc", ("riscv64-unknown-elf-gcc",), "gcc-riscv64-unknown-elf"),
        "clang": Compiler("clang --target=riscv32", ("clang", "ld.lld", "riscv64-unknown-elf-gcc"),
                          "clang lld gcc-riscv64-unknown-elf", LLD, lto=False)}, _riscv),
    "cortex-m0": _mcu("nrf51822"),
    "cortex-m3": _mcu("stm32f205"),
    "cortex-m4": _mcu("stm32f412"),
    "cortex-m7": _mcu("stm32f746"),
    "cortex-m33": _mcu("stm32l552"),
    "cortex-m55": _mcu("apollo510"),
    "wasm32": Target("node", ("make", "node"), "make nodejs", _kernels(WASM), {
        "clang": Compiler("clang", ("clang", "wasm-ld"), "clang lld")}, _wasm),
}
