#!/usr/bin/env python3
"""Trains on very many pictures, and prints what they cost: seconds and peak memory, with the pass that fills the
cache and again with the cache.

    python3 tests/reliability/many_pictures.py [COUNT]        a million unless told

The pictures are PNGs of 8 x 8 pixels, a thousand in a directory, each with other pixels. They take 4 GiB of disk for a
million, in the directory for temporary files (TMPDIR), and are removed in the end. train is the one on PATH.
"""
import os
import struct
import subprocess
import sys
import tempfile
import time
import zlib

SIDE, IN_A_DIRECTORY = 8, 1000


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


HEADER = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0))
END = chunk(b"IEND", b"")


def picture(number):
    """A PNG whose pixels are the digits of its number, again and again."""
    row = (b"%024d" % number)[:3 * SIDE]
    return HEADER + chunk(b"IDAT", zlib.compress(SIDE * (b"\0" + row), 1)) + END


def make(directory, count):
    for number in range(count):
        folder = os.path.join(directory, "%06d" % (number // IN_A_DIRECTORY))
        if number % IN_A_DIRECTORY == 0:
            os.mkdir(folder)
        with open(os.path.join(folder, "%09d.png" % number), "wb") as file:
            file.write(picture(number))


def train(pictures, run, steps):
    """Trains up to that step; its seconds and its peak memory, in words."""
    start = time.monotonic()
    child = subprocess.Popen(["train", "--stage", "1", "--config", "quick", "--run", run, "--quiet",
                              "--set", "stage1.steps=%d" % steps, "--set", "data.train=" + pictures,
                              "--set", "data.test=", "--set", "data.format=pictures", "--set", "data.channels=3",
                              "--set", "data.resolution=%d" % SIDE, "--set", "data.cache=always"])
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(1)
    return "%.1f s, %.0f MiB at most" % (time.monotonic() - start, usage.ru_maxrss / 1024)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    with tempfile.TemporaryDirectory() as directory:
        pictures, run = os.path.join(directory, "pictures"), os.path.join(directory, "run")
        os.mkdir(pictures)
        start = time.monotonic()
        make(pictures, count)
        print("%d pictures, made in %.0f s" % (count, time.monotonic() - start), flush=True)
        print("into a cache, and a step: ", train(pictures, run, 1), flush=True)
        print("with the cache, and a step:", train(pictures, run, 2), flush=True)


main()
