import unittest

from ramet import BadRequestError, CodeError, NotFoundError, Sandbox


class CommandTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sandbox = Sandbox()
        cls.addClassCleanup(cls.sandbox.close)

    def setUp(self):
        self.commands = self.sandbox.commands

    def test_a_command_gets_what_it_is_given_and_its_result_is_told(self):
        result = self.commands.run("id -un; pwd; echo $WHO; cat; echo err >&2; exit 3", env={"WHO": "ö"}, cwd="/tmp", user="nobody", stdin="in\n")
        self.assertEqual(("nobody\n/tmp\nö\nin\n", "err\n", 3), (result.stdout, result.stderr, result.exit_code))
        with self.assertRaisesRegex(CodeError, "exit code 3: err"):
            result.check()
        self.assertEqual("a b\n", self.commands.run(["echo", "a b"]).check().stdout)

    def test_output_is_streamed_while_it_runs(self):
        pieces = []

        def note(text):
            pieces.append(text)
            # It goes on only when what it printed first has been told.
            if text.startswith("one"):
                self.sandbox.files.write("/tmp/go", b"")

        result = self.commands.run("echo one; until test -e /tmp/go; do sleep 0.05; done; echo two", on_stdout=note, timeout_seconds=60)
        self.assertEqual(("one\ntwo\n", False), ("".join(pieces), result.timed_out))

    def test_a_command_whose_time_is_over_is_killed(self):
        result = self.commands.run("echo begun; sleep 100", timeout_seconds=2)
        self.assertEqual((True, 124, "begun\n"), (result.timed_out, result.exit_code, result.stdout))

    def test_a_process_is_fed_attached_to_and_waited_for(self):
        process = self.commands.start(["cat"], keep_stdin=True)
        process.send_stdin("one\n")
        with self.assertRaises(TimeoutError):
            process.wait(0.2)
        again = self.commands.attach(process.pid)
        again.send_stdin(b"two\n")
        again.close_stdin()
        self.assertEqual("one\ntwo\n", process.wait(60).stdout)
        self.assertEqual("one\ntwo\n", "".join(piece.text for piece in again.output()))
        self.assertIn(process.pid, [one.pid for one in self.commands.list()])
        self.assertEqual((False, 0), (again.info().running, again.info().exit_code))

    def test_a_process_is_signalled(self):
        process = self.commands.start("sleep 100")
        self.assertTrue(process.kill("TERM"))
        self.assertEqual(143, process.wait(60).exit_code)
        self.assertFalse(process.kill(9))
        with self.assertRaises(BadRequestError):
            process.kill("TREM")

    def test_a_terminal_has_a_size(self):
        process = self.commands.start(["/bin/sh"], tty=(30, 100))
        process.resize(41, 123)
        process.send_stdin("test -t 0 && stty size; exit 4\n")
        result = process.wait(60)
        self.assertEqual(4, result.exit_code)
        self.assertIn("41 123", result.stdout)

    def test_what_is_not_there_is_refused(self):
        with self.assertRaises(BadRequestError):
            self.commands.start(["/no/such"])
        with self.assertRaises(NotFoundError):
            self.commands.attach(99999)


if __name__ == "__main__":
    unittest.main()
