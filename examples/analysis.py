"""A session of data analysis: data goes in, variables stay from step to step, a figure comes out.

    RAMET_URL=http://127.0.0.1:8080 python3 examples/analysis.py [plot.png]

Figures of matplotlib come back by themselves. Where the image has none (that of the template ``python`` has numpy only), anything with ``_repr_png_`` does: see LINES.
"""

import math
import random
import sys

from ramet import Sandbox

# A class that draws lines and shows itself as a PNG, as notebooks ask for it.
LINES = '''
import struct, zlib
import numpy as np


class Lines:
    def __init__(self, *series, height=200):
        low, high = min(s.min() for s in series), max(s.max() for s in series)
        self.pixels = np.full((height, len(series[0]), 3), 255, np.uint8)
        for number, values in enumerate(series):
            rows = ((high - values) / (high - low) * (height - 1)).astype(int)
            for column, (a, b) in enumerate(zip(rows, np.append(rows[1:], rows[-1]))):
                self.pixels[min(a, b):max(a, b) + 1, column] = [(200, 200, 200), (200, 30, 30)][number % 2]

    def _repr_png_(self):
        height, width, _ = self.pixels.shape
        rows = b"".join(b"\\0" + row.tobytes() for row in self.pixels)
        chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
'''

random.seed(1)
table = "day,temperature\n" + "".join(f"{day},{10 - 8 * math.cos(day / 58) + random.gauss(0, 2):.2f}\n" for day in range(365))

with Sandbox() as sandbox:
    sandbox.files.write("weather.csv", table)
    sandbox.files.write("lines.py", LINES)

    sandbox.run("import numpy as np\ndata = np.genfromtxt('weather.csv', delimiter=',', names=True)").check()
    print("days:", sandbox.run("len(data)").check().value)
    print(sandbox.run("print(f\"mean {data['temperature'].mean():.1f}, warmest day {data['temperature'].argmax()}\")").check())
    sandbox.run("smooth = np.convolve(data['temperature'], np.ones(15) / 15, 'same')").check()
    result = sandbox.run(
        """
try:
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    plt.plot(data["temperature"], color="lightgrey")
    plt.plot(smooth, color="firebrick")
    shown = None
except ImportError:
    from lines import Lines
    shown = Lines(data["temperature"], smooth)
shown
""").check()

target = sys.argv[1] if len(sys.argv) > 1 else "plot.png"
with open(target, "wb") as file:
    file.write(result.images[0])
print(f"plot: {target}, {len(result.images[0])} bytes")
