"""What the interpreter does around a program: before its first statement, at its end, and when an exception is not caught."""
import ast
import atexit
import gc
import io
import logging
import os
import signal
import sys
import threading
import traceback
import types

OWN = {id(globals())}
"""The globals of the runner's modules, whose frames are not shown to programs."""

STANDARD_NAMES = frozenset("__name__ __doc__ __package__ __loader__ __spec__ __annotations__ __builtins__".split())

_files = (io.BufferedWriter, io.BufferedRandom, io.TextIOWrapper)
_keep = (types.ModuleType, types.FunctionType, type, int, float, complex, str, bytes, type(None))
_log_handlers = logging._handlerList
_first_exit_state = None

interruptible = False
"""Whether a program's code runs: SIGINT raises KeyboardInterrupt in it."""

interrupted = False
"""Whether SIGINT has come while none did: just before its code began, or when it had ended."""


# --- interruption -----------------------------------------------------------------------------------------------------------------------------------

def _interrupt(number, frame):
    """SIGINT. What is not a program's code must go on: the interpreter would end, and its sandbox with it."""
    global interrupted
    if interruptible:
        raise KeyboardInterrupt
    interrupted = True


def take_interrupts():
    """Handles SIGINT from now on, for programs as if it were Python's own handler."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.default_int_handler = _interrupt
        signal.signal(signal.SIGINT, _interrupt)


def _without_handler(error):
    """Has tracebacks end where the program was interrupted, and not in the handler."""
    known = set()
    while error is not None and id(error) not in known:
        known.add(id(error))
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_next is not None and trace.tb_next.tb_frame.f_code is _interrupt.__code__:
                trace.tb_next = None
            trace = trace.tb_next
        error = error.__cause__ or error.__context__


# --- programs ---------------------------------------------------------------------------------------------------------------------------------------

def make_main():
    """A __main__ as `python3 -c` has it."""
    main = types.ModuleType("__main__")
    main.__loader__ = sys.modules["importlib._bootstrap"].BuiltinImporter if "importlib._bootstrap" in sys.modules else type(sys.__spec__.loader)
    main.__builtins__ = sys.modules["builtins"]
    main.__annotations__ = {}
    sys.modules["__main__"] = main
    return main


def compile_with_value(source, filename):
    """Code, and a last statement that is an expression apart, as an interactive session sees it."""
    tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST, True)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = compile(ast.Expression(tree.body.pop().value), filename, "eval", 0, True)
    return compile(tree, filename, "exec", 0, True), last


def _without_runner(trace):
    """The part of a traceback that is the program's."""
    while trace is not None and id(trace.tb_frame.f_globals) in OWN:
        trace = trace.tb_next
    return trace


def report(error, filename):
    """
    An uncaught exception: what `python3 -c` would print. Returns the exit code. No exception is being handled while this runs, as in the interpreter itself:
    what a program's own hook raises has no context.
    """
    global interruptible
    error.__traceback__ = _without_runner(error.__traceback__)
    _without_handler(error)
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
        interruptible = True
        hook(type(error), error, error.__traceback__)
        interruptible = False
    except BaseException as raised:
        interruptible = False
        second = raised
    if isinstance(second, SystemExit):
        return report(second, filename)
    if second is not None:
        second.__traceback__ = _without_runner(second.__traceback__)
        print("Error in sys.excepthook:", file=sys.stderr)
        sys.__excepthook__(type(second), second, second.__traceback__)
        print("\nOriginal exception was:", file=sys.stderr)
        sys.__excepthook__(type(error), error, error.__traceback__)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def apply(options):
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


def finish(names):
    """The end of a program, as far as it can be seen from outside. Returns 120 when output could not be written, like the interpreter."""
    # Values that may hold files or other things that end with them; what is plain data stays, taking it apart is for nothing.
    for name in [name for name, value in names.items() if not isinstance(value, _keep) and name not in STANDARD_NAMES]:
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


def settle():
    """What has been asked for until now is the warm interpreter's own."""
    global _first_exit_state
    _first_exit_state = _exit_state()


def wait_for_threads():
    """Threads that are not daemons are waited for, and exit functions run. Once: threading takes it for the end of the main thread."""
    if len(threading._active) == 1 and not threading._limbo and _exit_state() == _first_exit_state:
        return  # Nothing to wait for, and nothing to run that the program has asked for.
    global interruptible
    failure = None
    try:
        interruptible = True
        threading._shutdown()
        interruptible = False
    except BaseException as error:
        interruptible = False
        failure = error
    if failure is not None:
        report(failure, None)
    atexit._run_exitfuncs()


def flush():
    """Has what was printed go out."""
    for stream in sys.stdout, sys.stderr:
        try:
            stream.flush()
        except Exception:
            pass
