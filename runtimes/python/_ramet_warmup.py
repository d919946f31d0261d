"""What makes an interpreter warm: modules that are loaded, and programs that have been run."""
import importlib
import linecache
import os
import sys

from _ramet_program import STANDARD_NAMES, finish, flush, report
from _ramet_random import SEED, STATE

def load():
    """Imports what programs use most, so that their own imports are instant. Nothing of this becomes a name in __main__."""
    modules = """
        abc argparse array ast asyncio base64 bisect builtins calendar cmath codecs collections collections.abc concurrent.futures contextlib copy
        csv ctypes dataclasses datetime decimal difflib enum errno fnmatch fractions functools gc glob hashlib heapq html http io inspect itertools
        json keyword linecache locale logging math numbers operator os pathlib pickle platform pprint queue random re secrets select shlex shutil
        signal socket sqlite3 statistics string struct subprocess tempfile textwrap threading time timeit token tokenize traceback types typing
        unicodedata urllib.parse urllib.request uuid warnings weakref zipfile zlib
        numpy numpy.linalg numpy.fft numpy.random encodings.idna encodings.latin_1 encodings.ascii encodings.utf_8_sig
        """.split()
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # The image does not have it.


_PROGRAMS = (
    "print(1+1)",
    "import numpy as np\nprint(np.random.rand(3))\na = np.random.rand(100, 100)\nprint((a @ a).sum(), a.mean(), np.arange(10).reshape(2, 5))",
    "import math, json, re\nclass C:\n    def __init__(self, x): self.x = x\ndef f(n):\n    return [C(i).x for i in range(n)]\n"
    "print(f(5), {k: v for k, v in zip('abc', (1, 2.5, None))}, f'{math.pi:.3f}', json.dumps({'a': [1]}), re.findall('a+', 'aab'))",
    "with open('/dev/null', 'w') as f:\n    f.write('x')\ntry:\n    {}['x']\nexcept KeyError as e:\n    print(repr(e), sum(i * i for i in range(1000)))",
    "def f():\n    raise ValueError('x')\nf()",
    "def f(:",
    "import sys\nsys.exit(3)",
)


def warm_up(names, prepare, make_request):
    """
    Runs what programs typically do, with the output going nowhere, so that caches are filled and code is specialized before the template is frozen.

    prepare: reads a request, as for those that come. make_request: makes one, of code, options and random bytes.
    """
    flush()
    saved = os.dup(1), os.dup(2)
    nowhere = os.open("/dev/null", os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    buffer = memoryview(bytearray(4096 + SEED + 2 * STATE))
    for _ in range(3):
        for text in _PROGRAMS:
            encoded = text.encode()
            options = b'{"filename": "warm.py"}' if "def f():" in text else b""
            request = make_request(encoded, options, os.urandom(SEED + 2 * STATE))
            buffer[:len(request)] = request
            filename = failure = None
            try:
                _, filename, code, _, _ = prepare(buffer, len(request))
                exec(code, names)
            except BaseException as error:
                failure = error
            if failure is not None:
                report(failure, filename)
            finish(names)
            failure = None
            for name in [name for name in names if name not in STANDARD_NAMES]:
                del names[name]
    os.dup2(saved[0], 1)
    os.dup2(saved[1], 2)
    for descriptor in (*saved, nowhere):
        os.close(descriptor)
    linecache.cache.clear()
    sys.argv[:] = ["-c"]
    for name in "last_type", "last_value", "last_traceback":
        if hasattr(sys, name):
            delattr(sys, name)
