#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the object files of `make check-macos` ask for and macOS does not have.

    symbols.py BUILD

Undefined names of all Mach-O objects, without those that they define for each other, that the
system library has (the libSystem.tbd of zig), or that the libraries of kmidi define (read from this
system's). What is left would not link on a Mac.
"""

import pathlib
import re
import struct
import subprocess
import sys

LIBRARIES = "hdf5 sndfile FLAC ogg mpg123 smf soxr yaml protobuf-c hwloc jansson fftw3 crypto pcre2-8 zip csv curl espeak-ng microhttpd glib-2.0".split()
LC_SYMTAB, N_TYPE, N_EXT, N_UNDF, N_STAB = 2, 0x0E, 0x01, 0x00, 0xE0


def symbols(path):
    """(name, defined) of the external symbols of a 64-bit Mach-O object."""
    data = path.read_bytes()
    magic, _, _, _, commands = struct.unpack_from("<IiiII", data)
    if magic != 0xFEEDFACF:
        sys.exit(f"check-macos: {path} is no object file of macOS")
    at = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<II", data, at)
        if command == LC_SYMTAB:
            table, n, strings, _ = struct.unpack_from("<IIII", data, at + 8)
            for i in range(n):
                name, kind, _, _, value = struct.unpack_from("<IBBHQ", data, table + 16 * i)
                if kind & N_EXT and not kind & N_STAB:
                    text = data[strings + name : data.index(b"\0", strings + name)].decode()
                    yield text, kind & N_TYPE != N_UNDF or value > 0
        at += size


def of_libraries():
    folder = subprocess.run(
        ["gcc", "-print-multiarch"], capture_output=True, text=True, check=True
    ).stdout.strip()
    for name in LIBRARIES:
        found = next(
            (
                p
                for p in [
                    f"/usr/lib/{folder}/lib{name}.so",
                    f"/usr/lib/{folder}/hdf5/serial/lib{name}.so",
                ]
                if pathlib.Path(p).exists()
            ),
            None,
        )
        if not found:
            sys.exit(f"check-macos: lib{name}.so is missing; run ./deps.sh")
        listed = subprocess.run(
            ["nm", "-D", "--defined-only", found], capture_output=True, text=True, check=True
        ).stdout
        yield from ("_" + line.split()[-1].split("@")[0] for line in listed.splitlines())


def main():
    build = pathlib.Path(sys.argv[1])
    objects = sorted((build / "debug").rglob("*.o"))
    defined, wanted = set(), {}
    for path in objects:
        for name, here in symbols(path):
            if here:
                defined.add(name)
            else:
                wanted.setdefault(name, str(path.relative_to(build / "debug")))
    system = set(
        re.findall(r"_[\w$.]+", (build / "zig/ziglang/lib/libc/darwin/libSystem.tbd").read_text())
    )
    missing = sorted(set(wanted) - defined - system - set(of_libraries()))
    for name in missing:
        print(f"check-macos: {name[1:]} is not of macOS (first wanted by {wanted[name]})")
    print(f"macOS on arm64: {len(objects)} files compiled, none run; {len(missing)} names missing")
    sys.exit(bool(missing))


main()
