# SPDX-License-Identifier: MIT
"""What Python's pools map: in a module of its own, so that workers import it by name instead of being sent its code."""
import ctypes

spin = None


def load(path):
    global spin
    spin = ctypes.CDLL(path).spin
    spin.argtypes, spin.restype = (ctypes.c_uint64, ctypes.c_uint64), ctypes.c_uint64


def item(i):
    return i  # what peer.c's items are: spin(i, 0)


def task(path, steps, i):
    if spin is None:
        load(path)  # in a worker that did not inherit it
    return spin(i, steps)
