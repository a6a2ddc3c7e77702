#!/usr/bin/python3
"""Writes inception.h5: pool features of two pictures, by the FID's Inception-v3 with made weights, in float64.

The network is written here once more in numpy, from the text of pytorch-fid and torch-fidelity and without a look at
lib/model/inception.c. tests/test_inception.c makes the same weights and pictures by the same formulas:

    number(name, i)   a hash of a name and an index, as a float64 in (-1, 1)

    /usr/bin/python3 tests/golden/inception.py tests/golden/inception.h5
"""
import sys

import h5py
import numpy as np

SIDE = 299


# -- Made numbers ------------------------------------------------------------------------------------------------------


def mix(x):
    """A hash of 32-bit numbers (Wellons' lowbias32)."""
    x = x.astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def hash_of(name):
    """FNV-1a."""
    h = 0x811C9DC5
    for byte in name.encode():
        h = (h ^ byte) * 0x01000193 % 2**32
    return h


def number(name, shape):
    i = np.arange(np.prod(shape), dtype=np.uint32)
    h = mix(i + mix(np.array([hash_of(name)]))[0])
    return ((h.astype(np.float64) + 0.5) / 2**31 - 1).reshape(shape)


def picture(height, width, channels):
    """Waves of some pixels' length, and a little noise."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    noise = np.floor(16 * (number(f"picture {height} {width} {channels}", y.shape) + 1))
    return ((x * x * (c + 1) + 3 * y * (5 + c)) // 4 % 208 + noise).astype(np.uint8)


# -- The parts ---------------------------------------------------------------------------------------------------------


def patches(x, size, stride, pad, fill):
    """[c, h, w] -> [c, size_y, size_x, h', w']"""
    x = np.pad(x, ((0, 0), (pad[0], pad[0]), (pad[1], pad[1])), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))[:, ::stride, ::stride]
    return view.transpose(0, 3, 4, 1, 2)


def basic(x, name, out, size=1, stride=1, pad=0):
    """Convolution without bias, batch normalisation, ReLU."""
    size = (size, size) if isinstance(size, int) else size
    pad = (pad, pad) if isinstance(pad, int) else pad
    fan_in = x.shape[0] * size[0] * size[1]
    weight = np.float32(np.sqrt(6 / fan_in) * number(name + ".conv.weight", (out, fan_in))).astype(np.float64)
    gamma = np.float32(1 + 0.3 * number(name + ".bn.weight", out)).astype(np.float64)
    beta = np.float32(0.2 * number(name + ".bn.bias", out)).astype(np.float64)
    mean = np.float32(0.3 * number(name + ".bn.running_mean", out)).astype(np.float64)
    variance = np.float32(1 + 0.5 * number(name + ".bn.running_var", out)).astype(np.float64)
    p = patches(x, size, stride, pad, 0)
    y = (weight @ p.reshape(fan_in, -1)).reshape(out, *p.shape[3:])
    y = (y - mean[:, None, None]) / np.sqrt(variance + 0.001)[:, None, None] * gamma[:, None, None]
    return np.maximum(y + beta[:, None, None], 0)


def largest(x, stride, pad):
    return patches(x, (3, 3), stride, (pad, pad), -np.inf).max((1, 2))


def average(x):
    """Over 3 x 3 pixels, those outside left out."""
    return np.nanmean(patches(x, (3, 3), 1, (1, 1), np.nan), (1, 2))


def a(x, n, pool):
    five = basic(basic(x, n + ".branch5x5_1", 48), n + ".branch5x5_2", 64, 5, pad=2)
    three = basic(basic(x, n + ".branch3x3dbl_1", 64), n + ".branch3x3dbl_2", 96, 3, pad=1)
    three = basic(three, n + ".branch3x3dbl_3", 96, 3, pad=1)
    return np.concatenate([basic(x, n + ".branch1x1", 64), five, three,
                           basic(average(x), n + ".branch_pool", pool)])


def b(x, n):
    three = basic(basic(x, n + ".branch3x3dbl_1", 64), n + ".branch3x3dbl_2", 96, 3, pad=1)
    three = basic(three, n + ".branch3x3dbl_3", 96, 3, stride=2)
    return np.concatenate([basic(x, n + ".branch3x3", 384, 3, stride=2), three, largest(x, 2, 0)])


ROW, COLUMN = dict(size=(1, 7), pad=(0, 3)), dict(size=(7, 1), pad=(3, 0))


def c(x, n, c7):
    seven = basic(basic(x, n + ".branch7x7_1", c7), n + ".branch7x7_2", c7, **ROW)
    seven = basic(seven, n + ".branch7x7_3", 192, **COLUMN)
    twice = basic(basic(x, n + ".branch7x7dbl_1", c7), n + ".branch7x7dbl_2", c7, **COLUMN)
    twice = basic(twice, n + ".branch7x7dbl_3", c7, **ROW)
    twice = basic(twice, n + ".branch7x7dbl_4", c7, **COLUMN)
    twice = basic(twice, n + ".branch7x7dbl_5", 192, **ROW)
    return np.concatenate([basic(x, n + ".branch1x1", 192), seven, twice,
                           basic(average(x), n + ".branch_pool", 192)])


def d(x, n):
    three = basic(basic(x, n + ".branch3x3_1", 192), n + ".branch3x3_2", 320, 3, stride=2)
    seven = basic(basic(x, n + ".branch7x7x3_1", 192), n + ".branch7x7x3_2", 192, **ROW)
    seven = basic(seven, n + ".branch7x7x3_3", 192, **COLUMN)
    seven = basic(seven, n + ".branch7x7x3_4", 192, 3, stride=2)
    return np.concatenate([three, seven, largest(x, 2, 0)])


def e(x, n, pooled):
    row, column = dict(size=(1, 3), pad=(0, 1)), dict(size=(3, 1), pad=(1, 0))
    three = basic(x, n + ".branch3x3_1", 384)
    twice = basic(basic(x, n + ".branch3x3dbl_1", 448), n + ".branch3x3dbl_2", 384, 3, pad=1)
    return np.concatenate([
        basic(x, n + ".branch1x1", 320),
        basic(three, n + ".branch3x3_2a", 384, **row), basic(three, n + ".branch3x3_2b", 384, **column),
        basic(twice, n + ".branch3x3dbl_3a", 384, **row), basic(twice, n + ".branch3x3dbl_3b", 384, **column),
        basic(pooled, n + ".branch_pool", 192)])


# -- The whole ---------------------------------------------------------------------------------------------------------


def resized(bytes_):
    """[h, w, c] -> [3, 299, 299], as TensorFlow 1's resize_bilinear without align_corners."""
    x = bytes_.astype(np.float64)
    for axis in 0, 1:
        size = x.shape[axis]
        at = np.arange(SIDE, dtype=np.float32) * np.float32(size / SIDE)
        low = np.floor(at).astype(int)
        share = (at - low).astype(np.float64).reshape([-1 if k == axis else 1 for k in range(3)])
        first, second = x.take(low, axis), x.take(np.minimum(low + 1, size - 1), axis)
        x = first + (second - first) * share
    x = (x - 128) / 128
    return np.broadcast_to(x, (SIDE, SIDE, 3)).transpose(2, 0, 1)


def features(bytes_):
    x = resized(bytes_)
    x = basic(x, "Conv2d_1a_3x3", 32, 3, stride=2)
    x = basic(x, "Conv2d_2a_3x3", 32, 3)
    x = basic(x, "Conv2d_2b_3x3", 64, 3, pad=1)
    x = largest(x, 2, 0)
    x = basic(x, "Conv2d_3b_1x1", 80)
    x = basic(x, "Conv2d_4a_3x3", 192, 3)
    x = largest(x, 2, 0)
    x = a(a(a(x, "Mixed_5b", 32), "Mixed_5c", 64), "Mixed_5d", 64)
    x = b(x, "Mixed_6a")
    x = c(c(c(c(x, "Mixed_6b", 128), "Mixed_6c", 160), "Mixed_6d", 160), "Mixed_6e", 192)
    x = d(x, "Mixed_7a")
    x = e(x, "Mixed_7b", average(x))
    x = e(x, "Mixed_7c", largest(x, 1, 1))
    return x.mean((1, 2))


with h5py.File(sys.argv[1], "w") as f:
    f["colour"] = features(picture(32, 32, 3))
    f["grey"] = features(picture(28, 28, 1))
