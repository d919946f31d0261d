#!/usr/bin/env python3
"""Runs modules of CPython's regression suite, in a sandbox or on the bare machine, and says how each test ended; see README.md.

usage: suite.py run MODULE...            a line "test ok|skipped|failed" for each test, and "MODULE ended STATUS" for each module
       suite.py check [full|MODULE...]   runs them, or those of quick.txt or modules.txt, and compares with bare-results.txt and expected-failures.txt
       suite.py difference BARE HERE     compares two outputs of "run": what is ok in the first must be ok in the second
"""
import collections
import fnmatch
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
MODULE_SECONDS = 280
# Tests that hang now and then wherever they run: CPython 3.11's daemon threads at the end of the interpreter.
UNSTABLE = {"test_threading": ["*.test_4_daemon_threads"]}
# Modules that ask for something by "regrtest -u" that is there: sockets on loopback, a terminal type.
RESOURCES = {"test_socketserver": "network", "test_curses": "curses"}


def run_module(module):
    """Results by test, and how the run of the module ended; its output goes to stderr when tests failed."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory() as directory:
        report = os.path.join(directory, "results.xml")
        command = [sys.executable, "-m", "test", "-W", "--timeout", str(MODULE_SECONDS), "--junit-xml", report]
        for pattern in UNSTABLE.get(module, []):
            command += ["--ignore", pattern]
        if module in RESOURCES:
            command += ["-u", RESOURCES[module]]
        command.append(module)
        ended = subprocess.run(command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        results = read_report(report) if os.path.exists(report) else {}
    if ended.returncode != 0:
        sys.stderr.write(ended.stdout.decode(errors="replace"))
        sys.stderr.flush()
    return results, ended.returncode


def read_report(path):
    results = {}
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        # A failure of setUpClass is reported as "setUpClass (test.test_x.Class)".
        name = re.sub(r"^(\w+) \((.*)\)$", r"\2.\1", case.get("name"))
        children = {child.tag for child in case}
        state = "failed" if children & {"failure", "error"} else "skipped" if "skipped" in children or case.get("result") == "skipped" else "ok"
        # Parts of a test (subTest) have entries of their own: the test is as its worst part.
        if results.get(name) != "failed":
            results[name] = state
    return results


def run(modules):
    for module in modules:
        results, status = run_module(module)
        for name, state in results.items():
            print(name, state)
        print(module, "ended", status, flush=True)


def read_lines(name):
    with open(os.path.join(HERE, name)) as file:
        return [line.split("#")[0].strip() for line in file if line.split("#")[0].strip()]


def check(modules):
    """The list may only shrink: what passes bare passes here but for what it names, and what it names fails."""
    expected = read_lines("expected-failures.txt")
    bare = {module: (int(passed), int(status)) for module, passed, _, _, status in map(str.split, read_lines("bare-results.txt"))}
    bare_failures = {tuple(line.split()) for line in read_lines("bare-failures.txt")}
    problems = []
    for module in modules:
        results, status = run_module(module)
        here = collections.Counter(results.values())
        listed = [pattern for name, pattern in map(str.split, expected) if name == module]
        for pattern in listed:
            for name in fnmatch.filter(results, pattern):
                if results[name] == "ok":
                    problems.append(f"{name} passes: remove it from the list (expected-failures.txt, {pattern})")
            if not fnmatch.filter(results, pattern):
                problems.append(f"{pattern} names no test of {module}: remove it from the list (expected-failures.txt)")
        excused = [name for name in results if any(fnmatch.fnmatchcase(name, pattern) for pattern in listed)]
        failed = [name for name, state in results.items() if state == "failed" and name not in excused and (module, name) not in bare_failures]
        problems += [f"{name} failed, and passes bare" for name in failed]
        if module not in bare:
            problems.append(f"{module} is not in bare-results.txt: record it (see README.md)")
        else:
            passed, ended = bare[module]
            if here["ok"] + len(excused) < passed:
                problems.append(f"{module}: {here['ok']} tests passed ({here['skipped']} skipped), and {passed} pass bare")
            if status not in (0, ended) and here["failed"] == 0:
                problems.append(f"{module} ended with status {status}")
        print(f"{module}: {here['ok']} ok, {here['skipped']} skipped, {here['failed']} failed", flush=True)
    for problem in problems:
        print(problem)
    print("Tests result:", "FAILURE" if problems else "SUCCESS")
    return 1 if problems else 0


def difference(bare, here):
    results = []
    for path in bare, here:
        with open(path) as file:
            lines = [line.split() for line in file]
        results.append({" ".join(line[:-1]): line[-1] for line in lines if line and (len(line) < 3 or line[-2] != "ended")})
    count = 0
    for name, state in results[0].items():
        if state == "ok" and results[1].get(name) != "ok":
            count += 1
            print(name, results[1].get(name, "missing"))
    print(f"{count} of {sum(state == 'ok' for state in results[0].values())} tests that pass bare do not pass here", file=sys.stderr)
    return 1 if count else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["run", *names] if names:
            run(names)
        case ["check", *names]:
            source = "modules.txt" if names == ["full"] else "quick.txt"
            sys.exit(check(names if names and names != ["full"] else " ".join(read_lines(source)).split()))
        case ["difference", first, second]:
            sys.exit(difference(first, second))
        case _:
            sys.exit(__doc__)
