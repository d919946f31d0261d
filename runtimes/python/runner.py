"""Ramet's Python runner: a warm interpreter that waits for code.

A template is frozen while this program waits in read(2) for a request; every sandbox is a fork of it. All that a request does is on somebody's critical
path, and each page that it touches for the first time costs microseconds: the path of a request imports nothing, and does no more than it must.

Protocol (little-endian; each message is one read(2) or write(2) on the channel, whose descriptor or path is in the environment variable RAMET_CHANNEL):

    request   u32 version (2)   u32 flags   u32 length of the code   u32 length of the options   u32 number of random bytes
              the random bytes: none, and generators of random numbers stay as they are; or 64, of which 32 are for the generators and 32 for secrets; or
              64 and behind them states of generators (for Python two of 2,496 bytes: the words of Mersenne Twisters), which spares their seeding
              the code, UTF-8; the options, a JSON object, if their length is not 0
    flags     1 LARGE: only these 20 bytes; the whole request follows as a message of its own (of 20 bytes + the three lengths)
              2 SESSION: reply and wait for the next request; names stay defined
              4 LINES: flush standard output at the end of each line
              8 VALUE: if the last statement is an expression, put its repr into the reply ("value"), and what it and open figures of matplotlib look like
                ("results": a list of objects, media type to content; images in base64); of an uncaught exception, its type, text and stack ("exception")
    options   filename: shown in tracebacks, with source lines; argv: sys.argv; env: changes of the environment (null removes); cwd: working directory;
              stdin: standard input as text (for tests and small inputs; otherwise descriptor 0 is what the host made it)
    reply     u32 version (2)   u32 flags (0)   i32 exit code   u32 length of the details
              the details, a JSON object, if their length is not 0
    ready     the first reply, once, with exit code 0 and details {"python": ..., "numpy": ...}

Without SESSION the process ends after its reply, with the same exit code.

Strings hash with the same secret in all forks of a template (PYTHONHASHSEED fixes it altogether): the order of sets of strings is the same in all of them.
"""
import sys


def _load():
    """Imports what programs use most, so that their own imports are instant. Nothing of this becomes a name in __main__."""
    import importlib
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


_load()

import atexit  # noqa: E402
import ctypes  # noqa: E402
import gc  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402
import linecache  # noqa: E402
import os  # noqa: E402
import random  # noqa: E402
import struct  # noqa: E402
import threading  # noqa: E402
import traceback  # noqa: E402
import types  # noqa: E402
import _random  # noqa: E402

VERSION = 2
LARGE, SESSION, LINES, VALUE = 1, 2, 4, 8
HEADER = 20
SEED = 64
STATE = 624 * 4
BUFFER = 64 << 10

_unpack_header = struct.Struct("<IIIII").unpack_from
_pack_reply = struct.Struct("<IIiI").pack
_own = globals()
_files = (io.BufferedWriter, io.BufferedRandom, io.TextIOWrapper)
_keep = (types.ModuleType, types.FunctionType, type, int, float, complex, str, bytes, type(None))


# --- randomness -------------------------------------------------------------------------------------------------------------------------------------

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


def _find_states():
    """The states of the generators that all programs share, random's and numpy's, to be filled from outside; None where they are not as expected."""
    try:
        states = [_words(random._inst)]
        if "numpy" in sys.modules:
            states.append(_words(sys.modules["numpy"].random.mtrand._rand._bit_generator))
        return states
    except Exception:
        return None


_states = _find_states()
_behind_last = struct.pack("<i", 624)
_seed_random = _random.Random.seed
_random_instance = random._inst
_log_handlers = sys.modules["logging"]._handlerList if "logging" in sys.modules else ()
_first_exit_state = None
_process_config = None  # Of multiprocessing: its key is made when it is imported, which would be once for all forks.
_served = False


def _reseed(fresh):
    """Fresh randomness for the generators that libraries keep. Those of the system (os.urandom, secrets, uuid4, default_rng) are fresh anyway."""
    if _states is not None and len(fresh) >= SEED + STATE * len(_states):
        start = SEED
        for words, position in _states:
            words[:] = fresh[start:start + STATE]
            position[:] = _behind_last
            start += STATE
    else:
        _seed_random(_random_instance, int.from_bytes(fresh[:32], "little"))
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(list(fresh[:32]))
    _random_instance.gauss_next = None
    if _process_config is not None:
        _process_config["authkey"] = type(_process_config["authkey"])(fresh[32:SEED])
    # OpenSSL seeds itself when it is first used, which is after the fork, unless a program has run before. (Adding something is a use: the warm-up must not.)
    if _served and "ssl" in sys.modules:
        sys.modules["ssl"].RAND_add(os.urandom(32), 32.0)


# --- running code -----------------------------------------------------------------------------------------------------------------------------------

def _without_runner(trace):
    """The part of a traceback that is the program's."""
    while trace is not None and trace.tb_frame.f_globals is _own:
        trace = trace.tb_next
    return trace


def _report(error, filename):
    """
    An uncaught exception: what `python3 -c` would print. Returns the exit code. No exception is being handled while this runs, as in the interpreter itself:
    what a program's own hook raises has no context.
    """
    error.__traceback__ = _without_runner(error.__traceback__)
    if isinstance(error, SystemExit):
        code = error.code
        if code is None:
            return 0
        if isinstance(code, int):
            return code & 0xFF
        sys.stdout.flush()
        print(code, file=sys.stderr)
        return 1
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    hook = sys.excepthook
    if hook is sys.__excepthook__:
        if filename is None:
            hook(type(error), error, error.__traceback__)
        else:
            # The interpreter's own printer looks for the file; the source is only here.
            traceback.print_exception(error)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    second = None
    try:
        hook(type(error), error, error.__traceback__)
    except BaseException as raised:
        second = raised
    if isinstance(second, SystemExit):
        return _report(second, filename)
    if second is not None:
        second.__traceback__ = _without_runner(second.__traceback__)
        print("Error in sys.excepthook:", file=sys.stderr)
        sys.__excepthook__(type(second), second, second.__traceback__)
        print("\nOriginal exception was:", file=sys.stderr)
        sys.__excepthook__(type(error), error, error.__traceback__)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _apply(options):
    """What a request wants besides its code. Returns the file name for tracebacks, or None."""
    filename = options.get("filename")
    sys.argv[:] = options.get("argv") or [filename or "-c"]
    for name, value in (options.get("env") or {}).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if options.get("cwd") is not None:
        os.chdir(options["cwd"])
    if options.get("stdin") is not None:
        sys.stdin = io.TextIOWrapper(io.BytesIO(options["stdin"].encode()), encoding="utf-8")
    return filename


def _finish(names):
    """The end of a program, as far as it can be seen from outside. Returns 120 when output could not be written, like the interpreter."""
    # Values that may hold files or other things that end with them; what is plain data stays, taking it apart is for nothing.
    for name in [name for name, value in names.items() if not isinstance(value, _keep) and name not in _standard_names]:
        if type(names[name]).__module__ != "numpy":
            names[name] = None
    # Files that are still open, wherever they are: all objects from before the freeze are not looked at.
    for value in gc.get_objects():
        if isinstance(value, _files) and not value.closed:
            try:
                value.flush()
            except Exception:
                pass
    code = 0
    try:
        if sys.stdout is not None and not getattr(sys.stdout, "closed", False):
            sys.stdout.flush()
    except Exception as error:
        code = 120
        print(f"Exception ignored in: {sys.stdout!r}\n{type(error).__name__}: {error}", file=sys.stderr)
    try:
        if sys.stderr is not None and not getattr(sys.stderr, "closed", False):
            sys.stderr.flush()
    except Exception:
        code = 120
    return code


def _exit_state():
    """What changes when a program asks for something to be done at its end, in a way that Python itself does not (logging is one of the warm modules)."""
    return atexit._ncallbacks(), len(getattr(threading, "_threading_atexits", ())), len(_log_handlers)


def _wait_for_threads():
    """Threads that are not daemons are waited for, and exit functions run. Once: threading takes it for the end of the main thread."""
    if len(threading._active) == 1 and not threading._limbo and _exit_state() == _first_exit_state:
        return  # Nothing to wait for, and nothing to run that the program has asked for.
    failure = None
    try:
        threading._shutdown()
    except BaseException as error:
        failure = error
    if failure is not None:
        _report(failure, None)
    atexit._run_exitfuncs()


def _flush():
    for stream in sys.stdout, sys.stderr:
        try:
            stream.flush()
        except Exception:
            pass


def _prepare(buffer, length):
    """Reads a request. Returns its flags, file name (or None), code, expression (or None) and what is wrong with it (or None)."""
    _, flags, code_length, options_length, random_length = _unpack_header(buffer)
    start = HEADER + random_length
    end = start + code_length
    if length != end + options_length or 0 < random_length < SEED:
        return SESSION, None, None, None, f"a request of {length} bytes says that it has {end + options_length}"
    filename = None
    try:
        if random_length:
            _reseed(buffer[HEADER:start])
        source = str(buffer[start:end], "utf-8")
        if flags & LINES:
            sys.stdout.reconfigure(line_buffering=True)
        if options_length:
            filename = _apply(json.loads(bytes(buffer[end:length])))
            if filename is not None:
                linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    except BaseException as error:
        return flags, None, None, None, f"{type(error).__name__}: {error}"
    if flags & VALUE:
        return (flags, filename, *_compile_with_value(source, filename or "<string>"), None)
    return flags, filename, compile(source, filename or "<string>", "exec", 0, True), None, None


def _compile_with_value(source, filename):
    """Code, and a last statement that is an expression apart, as an interactive session sees it."""
    import ast
    tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST, True)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = compile(ast.Expression(tree.body.pop().value), filename, "eval", 0, True)
    return compile(tree, filename, "exec", 0, True), last


# --- rich results -----------------------------------------------------------------------------------------------------------------------------------

_REPRESENTATIONS = (
    ("_repr_html_", "text/html"), ("_repr_markdown_", "text/markdown"), ("_repr_latex_", "text/latex"), ("_repr_svg_", "image/svg+xml"),
    ("_repr_png_", "image/png"), ("_repr_jpeg_", "image/jpeg"), ("_repr_json_", "application/json"),
)
_LARGEST_RESULT = 4 << 20


def _represent(value):
    """What a value looks like: its repr, and what it offers to notebooks (the methods that IPython has made a convention of)."""
    import base64
    result = {"text/plain": repr(value)}
    for method, media in _REPRESENTATIONS:
        if isinstance(value, type) or not callable(getattr(value, method, None)):
            continue
        try:
            content = getattr(value, method)()
        except Exception:
            continue
        if isinstance(content, tuple):
            content = content[0]  # With metadata beside it.
        if isinstance(content, (bytes, bytearray)):
            content = base64.b64encode(content).decode()
        if content is not None and len(str(content)) <= _LARGEST_RESULT:
            result[media] = content
    return result


def _figures():
    """Open figures of matplotlib as images; they are closed."""
    import base64
    pyplot = sys.modules.get("matplotlib.pyplot")
    results = []
    for number in pyplot.get_fignums() if pyplot is not None else ():
        figure, image = pyplot.figure(number), io.BytesIO()
        figure.savefig(image, format="png", bbox_inches="tight")
        if image.tell() <= _LARGEST_RESULT:
            results.append({"text/plain": repr(figure), "image/png": base64.b64encode(image.getvalue()).decode()})
    if results:
        pyplot.close("all")
    return results[:4]


def _describe(failure):
    """An exception as data. Its own methods may fail."""
    result = {"type": type(failure).__name__, "text": "", "stack": ""}
    try:
        result["text"] = str(failure)[:10000]
        result["stack"] = "".join(traceback.format_exception(failure))[-10000:]
    except Exception:
        pass
    return result


# --- the warm interpreter ---------------------------------------------------------------------------------------------------------------------------

def _make_main():
    """A __main__ as `python3 -c` has it."""
    main = types.ModuleType("__main__")
    main.__loader__ = sys.modules["importlib._bootstrap"].BuiltinImporter if "importlib._bootstrap" in sys.modules else type(sys.__spec__.loader)
    main.__builtins__ = sys.modules["builtins"]
    main.__annotations__ = {}
    sys.modules["__main__"] = main
    return main


_standard_names = frozenset("__name__ __doc__ __package__ __loader__ __spec__ __annotations__ __builtins__".split())

_WARM_UP = (
    "print(1+1)",
    "import numpy as np\nprint(np.random.rand(3))\na = np.random.rand(100, 100)\nprint((a @ a).sum(), a.mean(), np.arange(10).reshape(2, 5))",
    "import math, json, re\nclass C:\n    def __init__(self, x): self.x = x\ndef f(n):\n    return [C(i).x for i in range(n)]\n"
    "print(f(5), {k: v for k, v in zip('abc', (1, 2.5, None))}, f'{math.pi:.3f}', json.dumps({'a': [1]}), re.findall('a+', 'aab'))",
    "with open('/dev/null', 'w') as f:\n    f.write('x')\ntry:\n    {}['x']\nexcept KeyError as e:\n    print(repr(e), sum(i * i for i in range(1000)))",
    "def f():\n    raise ValueError('x')\nf()",
    "def f(:",
    "import sys\nsys.exit(3)",
)


def _warm_up(names):
    """Runs what programs typically do, with the output going nowhere, so that caches are filled and code is specialized before the template is frozen."""
    _flush()
    saved = os.dup(1), os.dup(2)
    nowhere = os.open("/dev/null", os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    buffer = memoryview(bytearray(BUFFER))
    for _ in range(3):
        for text in _WARM_UP:
            encoded = text.encode()
            options = b'{"filename": "warm.py"}' if "def f():" in text else b""
            fresh = os.urandom(SEED + 2 * STATE)
            request = struct.pack("<IIIII", VERSION, 0, len(encoded), len(options), len(fresh)) + fresh + encoded + options
            buffer[:len(request)] = request
            filename = failure = None
            try:
                _, filename, code, _, _ = _prepare(buffer, len(request))
                exec(code, names)
            except BaseException as error:
                failure = error
            if failure is not None:
                _report(failure, filename)
            _finish(names)
            failure = None
            for name in [name for name in names if name not in _standard_names]:
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


def _open_channel():
    channel = os.environ.pop("RAMET_CHANNEL")
    channel = int(channel) if channel.isdigit() else os.open(channel, os.O_RDWR | os.O_CLOEXEC)
    os.set_inheritable(channel, False)
    return channel


def _reply(code, details):
    details = b"" if details is None else json.dumps(details).encode()
    os.write(_channel, _pack_reply(VERSION, 0, code, len(details)) + details)


_channel = _open_channel()
sys.modules["_ramet_runner"] = sys.modules["__main__"]  # Keeps this module alive.
sys.path[0] = ""
_names = _make_main().__dict__
if "multiprocessing.process" in sys.modules:
    _process_config = sys.modules["multiprocessing.process"].current_process()._config
_warm_up(_names)
_first_exit_state = _exit_state()
_reply(0, {"python": sys.version.split()[0], "numpy": getattr(sys.modules.get("numpy"), "__version__", None)})
_small = _buffer = memoryview(bytearray(BUFFER))
_parts = [_small]
_flags = _length = _code = _last = _value = _problem = _filename = _failure = _details = _exit = _represented = None
gc.collect()
gc.freeze()

# The loop is here, and not in a function, so that one frame is all that a program can see below its own.
while True:
    _length = os.readv(_channel, _parts)
    if _length == 0:
        os._exit(0)  # The host is gone.
    _buffer = _small
    if _length >= HEADER and _small[4] & LARGE:
        _buffer = memoryview(bytearray(HEADER + sum(_unpack_header(_small)[2:])))
        _length = os.readv(_channel, [_buffer])
    if _length < HEADER or _unpack_header(_buffer)[0] != VERSION:
        _reply(2, {"error": "not a request of version 2"})
        continue
    _flags = _buffer[4] & (SESSION | VALUE)
    _filename = _failure = _details = None
    _exit = 0
    try:
        _flags, _filename, _code, _last, _problem = _prepare(_buffer, _length)
        if _problem is None:
            exec(_code, _names)
            if _last is not None:
                _value = eval(_last, _names)
                if _value is not None:
                    _represented = _represent(_value)
                    _details = {"value": _represented["text/plain"], "results": [_represented]}
            if _flags & VALUE and "matplotlib.pyplot" in sys.modules:
                _represented = _figures()
                if _represented:
                    _details = _details or {"results": []}
                    _details["results"] += _represented
    except BaseException as _raised:
        _failure = _raised
    if _failure is not None:
        _exit = _report(_failure, _filename)
        if _flags & VALUE and not isinstance(_failure, SystemExit):
            _details = {"exception": _describe(_failure)}
    elif _problem is not None:
        _exit, _details = 2, {"error": _problem}
    _failure = _code = _last = _value = _represented = None
    if _flags & SESSION:
        _flush()
        _served = True
    else:
        _flush()
        _wait_for_threads()
        _exit = _finish(_names) or _exit
    _reply(_exit, _details)
    if not _flags & SESSION:
        os._exit(_exit)
