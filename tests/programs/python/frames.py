# pandas and numpy.
import io
import tempfile

import numpy as np
import pandas as pd

frame = pd.read_csv(io.StringIO("name,group,value\n" + "".join(f"n{i},{'abc'[i % 3]},{i}\n" for i in range(9_999))))
sums = frame.groupby("group")["value"].sum()
assert sums.to_dict() == {"a": 16658334, "b": 16661667, "c": 16665000}, sums.to_dict()
merged = frame.merge(pd.DataFrame({"group": ["a", "b"], "label": ["first", "second"]}), on="group")
assert len(merged) == 6666
with tempfile.NamedTemporaryFile(suffix=".csv") as file:
    frame.to_csv(file.name, index=False)
    assert pd.read_csv(file.name).equals(frame)
times = pd.date_range("2024-02-28", periods=4, freq="D", tz="Europe/Berlin")
assert [str(day.date()) for day in times][2] == "2024-03-01" and str(times[0].utcoffset()) == "1:00:00"
assert abs(frame["value"].rolling(10).mean().iloc[-1] - 9993.5) < 1e-9
matrix = np.random.default_rng(5).standard_normal((200, 200))
assert np.allclose(matrix @ np.linalg.inv(matrix), np.eye(200), atol=1e-6)
mapped = np.memmap(tempfile.NamedTemporaryFile(), dtype="int32", mode="w+", shape=(1000, 1000))
mapped[:] = 7
mapped.flush()
assert int(mapped.sum()) == 7_000_000
print("pandas ok")
