import asyncio
import tempfile
import unittest
from pathlib import Path

from ramet import AsyncClient, AsyncSandbox, NotFoundError, StorageFullError


class AsyncTests(unittest.IsolatedAsyncioTestCase):
    async def test_exec_and_batch(self):
        async with AsyncClient() as client:
            self.assertEqual("2", str(await client.exec("print(1 + 1)")))
            results = await asyncio.gather(*(client.exec(f"print({n})") for n in range(20)))
            self.assertEqual([str(n) for n in range(20)], [str(one) for one in results])
            self.assertEqual(["a", "b"], [str(one) for one in await client.exec_batch(["print('a')", "print('b')"])])
            self.assertEqual("ok", (await client.health())["status"])

    async def test_output_of_a_fork_is_told_and_templates_are_made(self):
        pieces = []

        async def note(text):
            await asyncio.sleep(0)
            pieces.append(text)

        async with AsyncClient() as client, AsyncSandbox(client=client) as sandbox:
            result = await client.exec("print(1 + 1)", on_stdout=note)
            self.assertEqual(("2\n", ["2\n"], 0), (result.stdout, pieces, result.exit_code))
            await sandbox.run("shared = 1")
            self.assertEqual("python-sdk-async", (await sandbox.save_template("python-sdk-async")).name)
            self.assertEqual("1", str(await client.exec("print(shared)", template="python-sdk-async")))
            self.assertIn("python-sdk-async", [one.name for one in await client.templates()])
            await client.delete_template("python-sdk-async")

    async def test_a_sandbox_is_made_when_it_is_used_and_goes_when_it_is_left(self):
        sandbox = AsyncSandbox()
        values = await asyncio.gather(*(sandbox.run(str(n)) for n in range(4)))
        self.assertEqual(["0", "1", "2", "3"], [one.value for one in values])
        await sandbox.delete()
        async with AsyncSandbox(metadata={"kind": "async"}) as sandbox, AsyncClient() as client:
            self.assertEqual("2", str(await sandbox.run("print(1 + 1)")))
            self.assertIn(sandbox.id, [one.id async for one in client.sandboxes(metadata={"kind": "async"}, page_size=1)])
        with self.assertRaises(NotFoundError):
            await AsyncSandbox.connect(sandbox.id)
        awaited = await AsyncSandbox()
        self.assertEqual("running", (await awaited.info()).state)
        await awaited.close()

    async def test_output_is_streamed_to_functions_and_coroutines(self):
        pieces, errors = [], []
        async with AsyncSandbox() as sandbox:
            async def note(text):
                pieces.append(text)
                # It goes on only when what it printed first has been told.
                if text.startswith("1"):
                    await sandbox.files.write("/tmp/go", b"")

            result = await sandbox.run(
                "import os, sys, time\nprint(1, flush=True)\nwhile not os.path.exists('/tmp/go'): time.sleep(0.05)\nprint(2)\nprint('e', file=sys.stderr)",
                on_stdout=note, on_stderr=errors.append, timeout_seconds=60)
        self.assertEqual(("1\n2\n", "1\n2\n", "e\n", False), (result.stdout, "".join(pieces), "".join(errors), result.timed_out))

    async def test_a_cancelled_run_interrupts_the_code_and_the_sandbox_lives_on(self):
        async with AsyncSandbox() as sandbox:
            await sandbox.run("x = 1")
            for options in ({}, {"on_stdout": print}):
                running = asyncio.create_task(sandbox.run("x += 1\nopen(f'/tmp/{x}', 'w').close()\nwhile True: pass", timeout_seconds=600, **options))
                while not running.done() and not await sandbox.files.exists(f"/tmp/{3 if options else 2}"):
                    await asyncio.sleep(0.05)
                running.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await running
            self.assertEqual("3", (await asyncio.wait_for(sandbox.run("x"), 60)).value)

    async def test_a_cancelled_command_is_killed(self):
        async with AsyncSandbox() as sandbox:
            begun = asyncio.Event()
            running = asyncio.create_task(sandbox.commands.run("echo begun; sleep 1000", on_stdout=lambda text: begun.set()))
            await asyncio.wait_for(begun.wait(), 60)
            self.assertEqual([True], [one.running for one in await sandbox.commands.list()])
            running.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await running
            for _ in range(100):
                if not any(one.running for one in await sandbox.commands.list()):
                    return
                await asyncio.sleep(0.1)
            self.fail("The command runs still.")

    async def test_commands(self):
        async with AsyncSandbox() as sandbox:
            result = await sandbox.commands.run("cat; echo e >&2; exit 5", stdin="in")
            self.assertEqual(("in", "e\n", 5), (result.stdout, result.stderr, result.exit_code))
            self.assertEqual(124, (await sandbox.commands.run("sleep 100", timeout_seconds=0.3)).exit_code)
            process = await sandbox.commands.start(["cat"], keep_stdin=True)
            await process.send_stdin("one\n")
            with self.assertRaises(TimeoutError):
                await process.wait(0.3)
            again = await sandbox.commands.attach(process.pid)
            await again.close_stdin()
            self.assertEqual("one\n", (await process.wait(60)).stdout)
            self.assertEqual("one\n", "".join([piece.text async for piece in again.output()]))

    async def test_files(self):
        async with AsyncSandbox(memory_mb=192) as sandbox:
            files = sandbox.files
            await files.write("d/t", "text", mode=0o600)
            self.assertEqual(("text", 0o600), (await files.read_text("d/t"), (await files.stat("d/t")).mode))
            with tempfile.TemporaryDirectory() as name:
                local = Path(name)
                (local / "up" / "sub").mkdir(parents=True)
                (local / "up" / "sub" / "f").write_bytes(b"z" * 3_000_000)
                await files.upload(local / "up", "/srv/up")
                await files.upload(local / "up" / "sub" / "f", "/srv/one")
                await files.download("/srv/up", local / "down")
                await files.download("/srv/one", local / "one")
                self.assertEqual(b"z" * 3_000_000, (local / "down" / "sub" / "f").read_bytes())
                self.assertEqual(b"z" * 3_000_000, (local / "one").read_bytes())

            async def pieces():
                for n in range(10):
                    yield bytes([n])

            await files.write("pieces", pieces())
            self.assertEqual(bytes(range(10)), await files.read("pieces"))
            with self.assertRaises(StorageFullError):
                await files.write("/tmp/huge", (bytes(1 << 20) for _ in range(400)))
            await files.remove("/tmp/huge")
            async with await files.watch("d") as changes:
                await files.move("d/t", "d/u")
                kinds = [await asyncio.wait_for(changes.__anext__(), 60) for _ in range(2)]
            self.assertEqual([("moved_from", "d/t"), ("moved_to", "d/u")], [(one.kind, one.path) for one in kinds])


class LoopTests(unittest.TestCase):
    def test_one_client_can_be_used_from_one_loop_after_another(self):
        client = AsyncClient()
        for n in range(3):
            self.assertEqual(str(n), str(asyncio.run(client.exec(f"print({n})"))))


if __name__ == "__main__":
    unittest.main()
