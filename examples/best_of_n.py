"""Best of N: a sandbox is prepared once and forked, each fork tries another way, and the best goes on.

    RAMET_URL=http://127.0.0.1:8080 python3 examples/best_of_n.py

Forks have all that the sandbox had (variables, files, processes) and know nothing of each other; what they change is theirs.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Optional, Tuple

from ramet import Sandbox

# What is to be found out: which way to sort is right, and the fastest. A model would have written the candidates.
PREPARATION = """
import random, time
random.seed(7)
numbers = [random.randrange(10_000) for _ in range(3_000)]
wanted = sorted(numbers)

def score(sort):
    times = []
    for _ in range(3):
        begun = time.process_time()
        result = sort(list(numbers))
        times.append(time.process_time() - begun)
        if result != wanted: return None
    return min(times)  # The least disturbed by what else runs on the machine, such as the other forks.
"""

CANDIDATES = {
    "insertion": "def sort(a):\n    for i in range(1, len(a)):\n        x, j = a[i], i\n        while j and a[j - 1] > x:\n            a[j] = a[j - 1]; j -= 1\n        a[j] = x\n    return a",
    "merge": (
        "def sort(a):\n    if len(a) < 2: return a\n    l, r, out = sort(a[:len(a) // 2]), sort(a[len(a) // 2:]), []\n    i = j = 0\n"
        "    while i < len(l) and j < len(r):\n        if l[i] <= r[j]: out.append(l[i]); i += 1\n        else: out.append(r[j]); j += 1\n    return out + l[i:] + r[j:]"
    ),
    "forgets duplicates": "def sort(a):\n    return sorted(set(a))",
    "never ends": "def sort(a):\n    while True: pass",
}


def attempt(fork: Sandbox, code: str) -> Optional[float]:
    result = fork.run(code + "\nscore(sort)", timeout_seconds=5)
    return float(result.value) if result.ok and result.value else None


with Sandbox() as prepared:
    prepared.run(PREPARATION).check()
    forks = prepared.fork(len(CANDIDATES))
    try:
        with ThreadPoolExecutor(len(forks)) as pool:
            scores = list(pool.map(attempt, forks, CANDIDATES.values()))
        ranking = []  # type: list[Tuple[float, str, Sandbox]]
        for name, score, fork in zip(CANDIDATES, scores, forks):
            print(f"{name:20} {'failed' if score is None else f'{score * 1000:.1f} ms'}")
            if score is not None:
                ranking.append((score, name, fork))
        _, name, best = min(ranking, key=lambda one: one[0])
        # The best goes on with all that it has made.
        print("best:", name, best.run("sort([3, 1, 2])").check().value)
    finally:
        for fork in forks:
            fork.close()
