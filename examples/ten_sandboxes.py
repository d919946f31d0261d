"""Ten sandboxes at the same time, each with a state of its own.

    RAMET_URL=http://127.0.0.1:8080 python3 examples/ten_sandboxes.py
"""

import asyncio
import time

from ramet import AsyncClient, AsyncSandbox


async def work(client: AsyncClient, n: int) -> int:
    async with AsyncSandbox(client=client, metadata={"example": "ten sandboxes"}) as sandbox:
        await sandbox.run(f"import time; state = {n}; time.sleep(0.5)")
        return int((await sandbox.run("state ** 2")).check().value or 0)


async def main() -> None:
    async with AsyncClient() as client:
        begun = time.monotonic()
        squares = await asyncio.gather(*(work(client, n) for n in range(10)))
        print("squares:", squares)
        print(f"ten sandboxes that wait half a second each took {time.monotonic() - begun:.1f} s")


asyncio.run(main())
