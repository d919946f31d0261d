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

SIGINT raises KeyboardInterrupt in the program's code, also when it comes just before that begins; at other times it changes nothing. One that comes when the code is nearly over
may be lost: whoever wants code to end repeats it.

Without SESSION the process ends after its reply, with the same exit code.

Beside it: what surrounds a program (_ramet_program.py), randomness (_ramet_random.py), rich results (_ramet_results.py), the warm-up (_ramet_warmup.py).

Strings hash with the same secret in all forks of a template (PYTHONHASHSEED fixes it altogether): the order of sets of strings is the same in all of them.
"""
import sys

# Beside the runner is nobody's place for files.
_writes_bytecode, sys.dont_write_bytecode = not sys.dont_write_bytecode, True

import gc  # noqa: E402
import json  # noqa: E402
import linecache  # noqa: E402
import os  # noqa: E402
import struct  # noqa: E402
import _ramet_program as _program  # noqa: E402
import _ramet_results  # noqa: E402
import _ramet_warmup  # noqa: E402
from _ramet_program import OWN, apply, compile_with_value, finish, flush, make_main, report, settle, take_interrupts, wait_for_threads  # noqa: E402
from _ramet_random import SEED, reseed  # noqa: E402
from _ramet_results import describe, figures, represent  # noqa: E402
from _ramet_warmup import load, warm_up  # noqa: E402

sys.dont_write_bytecode = not _writes_bytecode
OWN.update(map(id, (globals(), vars(_ramet_results), vars(_ramet_warmup))))

VERSION = 2
LARGE, SESSION, LINES, VALUE = 1, 2, 4, 8
HEADER = 20
BUFFER = 64 << 10

_pack_header = struct.Struct("<IIIII").pack
_unpack_header = struct.Struct("<IIIII").unpack_from
_pack_reply = struct.Struct("<IIiI").pack
_served = False  # Whether a program has run in this process.


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
            reseed(buffer[HEADER:start], _served)
        source = str(buffer[start:end], "utf-8")
        if flags & LINES:
            sys.stdout.reconfigure(line_buffering=True)
        if options_length:
            filename = apply(json.loads(bytes(buffer[end:length])))
            if filename is not None:
                linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    except BaseException as error:
        return flags, None, None, None, f"{type(error).__name__}: {error}"
    if flags & VALUE:
        return (flags, filename, *compile_with_value(source, filename or "<string>"), None)
    return flags, filename, compile(source, filename or "<string>", "exec", 0, True), None, None


def _make_request(code, options, fresh):
    return _pack_header(VERSION, 0, len(code), len(options), len(fresh)) + fresh + code + options


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
load()
_names = make_main().__dict__
warm_up(_names, _prepare, _make_request)
settle()
take_interrupts()
_reply(0, {"python": sys.version.split()[0], "numpy": getattr(sys.modules.get("numpy"), "__version__", None)})
_small = _buffer = memoryview(bytearray(BUFFER))
_parts = [_small]
_flags = _length = _code = _last = _value = _problem = _filename = _failure = _details = _exit = _represented = None
gc.collect()
gc.freeze()

# The loop is here, and not in a function, so that one frame is all that a program can see below its own.
while True:
    _program.interrupted = False
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
            _program.interruptible = True
            if _program.interrupted:
                raise KeyboardInterrupt
            exec(_code, _names)
            if _last is not None:
                _value = eval(_last, _names)
                if _value is not None:
                    _represented = represent(_value)
                    _details = {"value": _represented["text/plain"], "results": [_represented]}
            if _flags & VALUE and "matplotlib.pyplot" in sys.modules:
                _represented = figures()
                if _represented:
                    _details = _details or {"results": []}
                    _details["results"] += _represented
        _program.interruptible = False
    except BaseException as _raised:
        _program.interruptible = False
        _failure = _raised
    if _failure is not None:
        _exit = report(_failure, _filename)
        if _flags & VALUE and not isinstance(_failure, SystemExit):
            _details = {"exception": describe(_failure)}
    elif _problem is not None:
        _exit, _details = 2, {"error": _problem}
    _failure = _code = _last = _value = _represented = None
    if _flags & SESSION:
        flush()
        _served = True
    else:
        flush()
        wait_for_threads()
        _exit = finish(_names) or _exit
    _reply(_exit, _details)
    if not _flags & SESSION:
        os._exit(_exit)
