"""The exported folder as a library of Arduino, PlatformIO, Zephyr and CMake; stubs stand for what cannot be had."""

import json
import os
import re

import pytest
from c_export import call, etinynet_graph, export, needs, ssd_graph

CAMERA = "rgb565le:52x40"

ARDUINO = """\
#include <cstdio>
#include <cstdlib>
struct Port {
    void begin(long) {}
    void print(const char *text) { std::printf("%s", text); }
    void println(const char *text) { std::printf("%s\\n", text); }
    void println(long value) { std::printf("%ld\\n", value); }
};
static Port Serial;
static void delay(unsigned long) { std::exit(0); }
"""

ZEPHYR = """\
function(zephyr_library_named name)
    add_library(${name} STATIC)
    set(ZEPHYR_CURRENT_LIBRARY ${name} PARENT_SCOPE)
endfunction()
function(zephyr_library_sources)
    target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
    target_link_libraries(app PRIVATE ${ZEPHYR_CURRENT_LIBRARY})
endfunction()
function(zephyr_include_directories)
    foreach(folder ${ARGN})
        get_filename_component(folder ${folder} ABSOLUTE)
        target_include_directories(app PRIVATE ${folder})
    endforeach()
endfunction()
enable_language(C)
add_executable(app)
target_include_directories(app PRIVATE $ENV{ZEPHYR_BASE}/include)
file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/prj.conf lines REGEX "^CONFIG_")
foreach(line ${lines})
    string(REGEX MATCH "^([^=]+)=(.*)$" found ${line})
    set(${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
endforeach()
foreach(module ${ZEPHYR_EXTRA_MODULES})
    file(STRINGS ${module}/zephyr/module.yml cmake REGEX "^  cmake: ")
    string(REPLACE "  cmake: " "" cmake ${cmake})
    add_subdirectory(${module}/${cmake} ${CMAKE_BINARY_DIR}/module)
endforeach()
"""

KERNEL_H = """\
#include <stdio.h>
#include <stdlib.h>
#define printk printf
static inline void k_msleep(int ms) { (void)ms; exit(0); }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return export(etinynet_graph("tiny", 33, classes=5), tmp_path_factory.mktemp("projects") / "net", camera=CAMERA)


def test_arduino(tmp_path):
    """A detector's library and sketch, by a compiler that looks for headers beside the sources alone."""
    needs("gcc", "g++")
    folder = export(ssd_graph("tiny", 33, classes=3), tmp_path / "net")
    properties = dict(line.split("=", 1) for line in (folder / "library.properties").read_text().splitlines())
    assert {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"} <= \
        set(properties) and properties["includes"] == "net.h" and re.fullmatch(r"\d+\.\d+\.\d+", properties["version"])
    sketch, = folder.glob("examples/*/*.ino")
    assert sketch.stem == sketch.parent.name  # or Arduino does not take it for a sketch
    (tmp_path / "Arduino.h").write_text(ARDUINO)
    main = f'#include "Arduino.h"\n#include "{sketch}"\nint main() {{ setup(); loop(); }}\n'
    (tmp_path / "main.cpp").write_text(main)
    objects = [tmp_path / f"{source.stem}.o" for source in sorted((folder / "src").glob("*.c"))]
    call(["gcc", "-std=gnu11", "-Wall", "-Wextra", "-c", "-I", folder / "src", *sorted((folder / "src").glob("*.c"))],
         cwd=tmp_path)
    call(["g++", "-std=gnu++11", "-Wall", "-Wextra", "-Werror", "-I", folder / "src", tmp_path / "main.cpp", *objects,
          "-o", tmp_path / "sketch"])
    assert re.fullmatch(rb"objects \d+\n", call([tmp_path / "sketch"]))


def test_platformio(folder, tmp_path):
    """What library.json says of the folders is so."""
    needs("gcc")
    library = json.loads((folder / "library.json").read_text())
    assert library["name"] == "net" and (folder / library["build"]["includeDir"] / library["headers"]).is_file()
    source = tmp_path / "main.c"
    source.write_text('#include <net.h>\nint main(void) { return net_arena_bytes(ETN_PUSHED) == 0; }\n')
    call(["gcc", "-std=c99", "-I", folder / library["build"]["includeDir"], source,
          *sorted((folder / library["build"]["srcDir"]).glob("*.c")), "-o", tmp_path / "program"])
    call([tmp_path / "program"])


def test_zephyr(folder, tmp_path):
    """Module and sample against a stub; the sample's picture of rows without end is of some class."""
    needs("cmake", "cc")
    base = tmp_path / "zephyr"
    (base / "include" / "zephyr").mkdir(parents=True)
    (base / "include" / "zephyr" / "kernel.h").write_text(KERNEL_H)
    (base / "ZephyrConfig.cmake").write_text(ZEPHYR)
    environment = {**os.environ, "ZEPHYR_BASE": str(base)}
    call(["cmake", "-S", folder / "zephyr" / "sample", "-B", tmp_path / "build"], env=environment)
    call(["cmake", "--build", tmp_path / "build"], env=environment)
    said = call([tmp_path / "build" / "app"]).decode()
    assert re.fullmatch(r"class [0-4]\n", said)
    assert "config NET\n" in (folder / "zephyr" / "Kconfig").read_text()


USER = """\
cmake_minimum_required(VERSION 3.13)
project(user C)
{}
add_executable(user main.c)
target_link_libraries(user PRIVATE net)
"""


def test_cmake(folder, tmp_path):
    """As a folder of the project, and installed."""
    needs("cmake", "cc")
    call(["cmake", "-S", folder, "-B", tmp_path / "net"])
    call(["cmake", "--build", tmp_path / "net", "--target", "net"])
    call(["cmake", "-DCMAKE_INSTALL_COMPONENT=Unspecified", f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'prefix'}", "-P",
          tmp_path / "net" / "cmake_install.cmake"])
    for name, how in (("sub", f"add_subdirectory({folder} net)"), ("package", "find_package(net CONFIG REQUIRED)")):
        user = tmp_path / name
        user.mkdir()
        (user / "CMakeLists.txt").write_text(USER.format(how))
        (user / "main.c").write_text('#include <net.h>\nint main(void) { return net_arena_bytes(ETN_PUSHED) == 0; }\n')
        call(["cmake", "-S", user, "-B", user / "build", f"-DCMAKE_PREFIX_PATH={tmp_path / 'prefix'}"])
        call(["cmake", "--build", user / "build"])
        call([user / "build" / "user"])
