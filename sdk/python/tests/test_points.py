import asyncio
import unittest

from ramet import AsyncSandbox, Client, ConflictError, NotFoundError, Sandbox


class PointTests(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox()
        self.addCleanup(self.sandbox.close)
        self.sandbox.run("x = 1\nopen('f', 'w').write('one')").check()

    def test_forks_go_on_from_here_and_know_nothing_of_each_other(self):
        forks = self.sandbox.fork(3, metadata={"kind": "fork"})
        for n, fork in enumerate(forks):
            self.addCleanup(fork.close)
            fork.run(f"x += {n}").check()
        self.assertEqual(["1", "2", "3"], [fork.run("x").value for fork in forks])
        self.assertEqual("1", self.sandbox.run("x").value)
        info = forks[0].info()
        self.assertEqual((self.sandbox.id, {"kind": "fork"}), (info.parent, info.metadata))
        self.assertGreaterEqual(info.generation, 1)
        self.assertEqual("one", forks[0].files.read_text("f"))

    def test_a_paused_sandbox_goes_on_when_it_is_resumed(self):
        self.assertEqual("paused", self.sandbox.pause().state)
        with self.assertRaises(ConflictError):
            self.sandbox.run("x")
        self.assertEqual("running", self.sandbox.resume().state)
        self.assertEqual("1", self.sandbox.run("x").value)

    def test_a_streamed_run_whose_sandbox_is_paused_says_so(self):
        with self.assertRaisesRegex(ConflictError, "paused") as caught:
            self.sandbox.run("print('begun', flush=True)\nwhile True: pass", timeout_seconds=250, on_stdout=lambda text: self.sandbox.pause())
        self.assertEqual(409, caught.exception.status)
        self.assertTrue(caught.exception.request_id)

        async def work():
            async with AsyncSandbox() as sandbox:
                await sandbox.run("print('begun', flush=True)\nwhile True: pass", timeout_seconds=250, on_stdout=lambda text: sandbox.pause())

        with self.assertRaisesRegex(ConflictError, "paused"):
            asyncio.run(work())

    def test_snapshots_are_gone_on_from(self):
        with Client() as client:
            saved = self.sandbox.snapshot("prepared")
            try:
                self.sandbox.run("x = 2")
                with Sandbox(snapshot=saved) as again:
                    self.assertEqual("1", again.run("x").value)
                self.assertIn(saved.id, [one.id for one in client.snapshots()])
                self.assertEqual("prepared", client.get_snapshot(saved.id).name)
                self.assertGreater(saved.size_bytes, 0)
            finally:
                client.delete_snapshot(saved)
            with self.assertRaises(NotFoundError):
                client.get_snapshot(saved.id)

    def test_checkpoints_are_gone_back_to_and_compared(self):
        moment = self.sandbox.checkpoint("before")
        self.sandbox.run("x = 2\nopen('g', 'w').write('two')").check()
        changed = self.sandbox.diff(moment, content=True)["files"]
        self.assertEqual([("/root/g", "added", "dHdv")], [(one["path"], one["change"], one["content_after"]) for one in changed if one["path"].startswith("/root/")])
        self.sandbox.rewind(moment)
        self.assertEqual("1", self.sandbox.run("x").value)
        self.assertFalse(self.sandbox.files.exists("g"))
        self.assertEqual(["before"], [one.name for one in self.sandbox.checkpoints()])
        self.sandbox.delete_checkpoint(moment)
        self.assertEqual([], self.sandbox.checkpoints())

    def test_environment_directory_and_checkpoints_can_be_asked_for(self):
        with Sandbox(env={"WHO": "me"}, cwd="/tmp", checkpoint_every_run=True, auto_pause_seconds=3600) as sandbox:
            self.assertEqual("('me', '/tmp')", sandbox.run("import os; (os.environ['WHO'], os.getcwd())").value)
            self.assertEqual(1, len(sandbox.checkpoints()))
            self.assertEqual("me /tmp", str(sandbox.commands.run("echo $WHO $PWD")))

    def test_metrics_and_logs_tell_what_it_did(self):
        self.sandbox.run("print('in the log')")
        self.assertEqual(2, self.sandbox.metrics()["runs"])
        logs = self.sandbox.logs()
        self.assertIn("run", [one.event for one in logs.events])
        self.assertIn("in the log", str(logs))

    def test_all_that_for_asyncio(self):
        async def work():
            async with AsyncSandbox() as sandbox:
                await sandbox.run("x = 1")
                moment = await sandbox.checkpoint()
                forks = await sandbox.fork(2)
                await asyncio.gather(*(fork.run(f"x = {n}") for n, fork in enumerate(forks, 5)))
                values = [(await fork.run("x")).value for fork in forks]
                await sandbox.run("x = 2")
                await sandbox.rewind(moment)
                await sandbox.pause()
                await sandbox.resume()
                values.append((await sandbox.run("x")).value)
                await asyncio.gather(*(fork.close() for fork in forks))
                return values

        self.assertEqual(["5", "6", "1"], asyncio.run(work()))


if __name__ == "__main__":
    unittest.main()
