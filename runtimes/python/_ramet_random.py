"""Randomness: a fork must not go on with the numbers of its template."""
import ctypes
import os
import random
import struct
import sys
import _random

SEED = 64
STATE = 624 * 4

_behind_last = struct.pack("<i", 624)
_seed_random = _random.Random.seed
_random_instance = random._inst
_states = None
_states_with_numpy = None


def _words(generator):
    """The state of a Mersenne Twister of Python or numpy as two views, its 624 words and the position in them, which can be written. Found by what CPython's and
    numpy's structures look like, and checked; raises where that does not hold."""
    if isinstance(generator, _random.Random):
        # struct { PyObject_HEAD; int index; uint32_t state[624]; }
        position = id(generator) + object.__basicsize__
        words = position + 4
        state = _random.Random.getstate(generator)
    else:
        # struct { uint32_t key[624]; int pos; }
        words = generator.ctypes.state_address
        position = words + STATE
        inner = generator.state["state"]
        state = *inner["key"].tolist(), inner["pos"]
    words, position = (ctypes.c_uint32 * 624).from_address(words), ctypes.c_int32.from_address(position)
    if state != (*words, position.value):
        raise ValueError("not what was expected")
    return memoryview(words).cast("B"), memoryview(position).cast("B")


def _numpy_random():
    """numpy's module of random numbers, if a program has loaded it."""
    module = sys.modules.get("numpy.random")
    return module if hasattr(module, "mtrand") else None


def _find_states(numpy):
    """The states of the generators that all programs share, random's and numpy's, to be filled from outside; None where they are not as expected."""
    global _states, _states_with_numpy
    _states_with_numpy = numpy is not None
    try:
        _states = [_words(_random_instance)]
        if numpy is not None:
            _states.append(_words(numpy.mtrand._rand._bit_generator))
    except Exception:
        _states = None


def reseed(fresh, served):
    """
    Fresh randomness for the generators that libraries keep. Those of the system (os.urandom, secrets, uuid4, default_rng) are fresh anyway.

    fresh: the random bytes of a request. served: whether a program has run in this process before.
    """
    numpy = _numpy_random()
    if (numpy is not None) != _states_with_numpy:
        _find_states(numpy)  # The first time, and when a program has imported numpy since.
    if _states is not None and len(fresh) >= SEED + STATE * len(_states):
        start = SEED
        for words, position in _states:
            words[:] = fresh[start:start + STATE]
            position[:] = _behind_last
            start += STATE
    else:
        _seed_random(_random_instance, int.from_bytes(fresh[:32], "little"))
        if numpy is not None:
            numpy.seed(list(fresh[:32]))
    _random_instance.gauss_next = None
    # The key of multiprocessing is made when that is imported, which would be once for all forks.
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        config = process.current_process()._config
        config["authkey"] = type(config["authkey"])(fresh[32:SEED])
    # OpenSSL seeds itself when it is first used, which is after the fork, unless a program has run before. (Adding something is a use: the warm-up must not.)
    if served and "ssl" in sys.modules:
        sys.modules["ssl"].RAND_add(os.urandom(32), 32.0)
