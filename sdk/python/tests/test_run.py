import base64
import gc
import subprocess
import sys
import threading
import unittest

import ramet
from ramet import Client, CodeError, NotFoundError, Sandbox


class ExecTests(unittest.TestCase):
    def test_code_runs_in_a_fork_of_its_own(self):
        result = ramet.exec("import sys\nprint(1 + 1)\nprint('e', file=sys.stderr)")
        self.assertEqual(("2", "2\n", "e\n", 0, True), (str(result), result.stdout, result.stderr, result.exit_code, result.ok))
        self.assertGreater(result.total_time_ms, 0)
        self.assertEqual("NameError", ramet.exec("x = 1") and ramet.exec("x").stderr.strip().splitlines()[-1].split(":")[0])

    def test_input_arguments_environment_and_files_reach_the_code(self):
        code = "import sys, os\nprint(sys.stdin.read(), sys.argv[1:], os.environ['WHO'], open('a/b.txt').read(), open('/tmp/c', 'rb').read())"
        result = ramet.exec(code, stdin="in", args=["x", "ö"], env={"WHO": "me"}, files={"a/b.txt": "text", "/tmp/c": b"\xff\x00"}, memory_mb=128)
        self.assertEqual("in ['x', 'ö'] me text b'\\xff\\x00'", str(result))

    def test_time_that_is_over_is_told_with_what_was_printed(self):
        result = ramet.exec("print('so far', flush=True)\nwhile True: pass", timeout_seconds=2)
        self.assertEqual((True, 124, "so far\n"), (result.timed_out, result.exit_code, result.stdout))
        with self.assertRaises(CodeError) as caught:
            result.check()
        self.assertIs(caught.exception.result, result)

    def test_output_of_a_fork_is_told_as_it_is_printed(self):
        pieces, errors = [], []
        result = ramet.exec(
            "import sys, time\nfor i in range(3):\n    print('é', i, flush=True)\n    time.sleep(0.2)\nprint('e', file=sys.stderr)\nsys.exit(3)",
            on_stdout=pieces.append, on_stderr=errors.append)
        self.assertEqual("é 0\né 1\né 2\n", "".join(pieces))
        self.assertEqual(("é 0\né 1\né 2\n", "e\n", "é 0\né 1\né 2\ne\n", 3, ["e\n"]), (result.stdout, result.stderr, result.output, result.exit_code, errors))
        self.assertTrue(result.id and result.total_time_ms > 0)

    def test_an_exception_of_a_callback_ends_the_fork(self):
        def stop(text):
            raise KeyError(text)

        # That it is told while the code runs is what ends the code.
        with self.assertRaisesRegex(KeyError, "go"):
            ramet.exec("print('go', flush=True)\nwhile True: pass", on_stdout=stop, timeout_seconds=600)

    def test_a_template_is_made_of_a_sandbox_listed_used_and_removed(self):
        with Client() as client, Sandbox(client=client) as sandbox:
            sandbox.run("import json\nshared = {'a': 40}")
            made = sandbox.save_template("python-sdk")
            self.assertEqual(("python-sdk", sandbox.id, "python"), (made.name, made.sandbox, made.origin))
            self.assertEqual("42", str(client.exec("print(shared['a'] + 2)", template="python-sdk")))
            known = {one.name: one for one in client.templates()}
            self.assertEqual(("python", "node"), (known["python"].language, known["node"].language))
            self.assertIn("python-sdk", known)
            client.delete_template("python-sdk")
            with self.assertRaises(NotFoundError):
                client.delete_template("python-sdk")

    def test_output_that_is_no_text_is_not_lost(self):
        self.assertEqual(b"\xff\xfe\n", ramet.exec("import os; os.write(1, b'\\xff\\xfe\\n')").stdout_bytes)

    def test_a_batch_keeps_its_order(self):
        results = ramet.exec_batch([f"print({n} ** 2)" for n in range(12)] + [{"code": "print(input())", "stdin": "own\n"}], timeout_seconds=20)
        self.assertEqual([str(n**2) for n in range(12)] + ["own"], [str(one) for one in results])
        with self.assertRaises(TypeError):
            ramet.exec_batch([{"kode": "1"}])

    def test_health_names_the_templates(self):
        with Client() as client:
            self.assertEqual("ok", client.health()["status"])
            self.assertIn("python", client.health()["templates"])

    def test_one_client_serves_many_threads(self):
        with Client() as client:
            results = [None] * 24

            def work(n):
                results[n] = str(client.exec(f"print({n})"))

            threads = [threading.Thread(target=work, args=(n,)) for n in range(24)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual([str(n) for n in range(24)], results)


class SandboxTests(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox()
        self.addCleanup(self.sandbox.close)

    def test_names_stay_and_the_last_expression_is_the_value(self):
        self.assertEqual("2", str(self.sandbox.run("print(1 + 1)")))
        self.sandbox.run("x = 40")
        result = self.sandbox.run("print('hi')\nx + 2")
        self.assertEqual(("hi", "42", "42", None), (str(result), result.value, result.results[0].text, result.exception))
        self.assertGreater(result.duration_ms, 0)

    def test_an_exception_is_told_and_the_sandbox_lives_on(self):
        result = self.sandbox.run("y = 1\nraise ValueError('no')")
        self.assertEqual((1, "ValueError", "no"), (result.exit_code, result.exception.type, result.exception.text))
        with self.assertRaisesRegex(CodeError, "ValueError: no"):
            result.check()
        self.assertEqual("1", self.sandbox.run("y").check().value)

    def test_images_and_tables_are_results(self):
        png = base64.b64encode(b"\x89PNG").decode()
        result = self.sandbox.run("class T:\n    def _repr_html_(self): return '<b>'\n    def _repr_png_(self): return b'\\x89PNG'\nT()")
        self.assertEqual(("<b>", b"\x89PNG", png), (result.results[0].html, result.results[0].png, result.results[0]["image/png"]))
        self.assertEqual([b"\x89PNG"], result.images)

    def test_output_is_streamed_as_it_is_printed(self):
        pieces, errors = [], []

        def note(text):
            pieces.append(text)
            # It goes on only when what it printed first has been told.
            if text.startswith("é 0"):
                self.sandbox.files.write("/tmp/go", b"")

        result = self.sandbox.run(
            "import os, sys, time\nprint('é', 0, flush=True)\nwhile not os.path.exists('/tmp/go'): time.sleep(0.05)\n"
            "for i in range(1, 3): print('é', i, flush=True)\nprint('e', file=sys.stderr)\n'end'",
            on_stdout=note, on_stderr=errors.append, timeout_seconds=60)
        self.assertEqual(("é 0\né 1\né 2\n", False), ("".join(pieces), result.timed_out))
        self.assertEqual(("é 0\né 1\né 2\n", "e\n", "'end'"), (result.stdout, result.stderr, result.value))
        self.assertEqual("e\n", "".join(errors))

    def test_an_exception_of_a_callback_interrupts_the_code(self):
        def stop(text):
            raise KeyError(text)

        with self.assertRaises(KeyError):
            self.sandbox.run("z = 7\nprint('go', flush=True)\nwhile True: pass", on_stdout=stop, timeout_seconds=600)
        self.assertEqual("7", self.sandbox.run("z").value)

    def test_a_run_whose_time_is_over_keeps_its_state(self):
        result = self.sandbox.run("w = 5\nwhile True: pass", timeout_seconds=2)
        self.assertTrue(result.timed_out)
        self.assertEqual("5", self.sandbox.run("w").value)

    def test_environment_and_directory_can_be_set(self):
        result = self.sandbox.run("import os; (os.environ['A'], os.getcwd())", env={"A": "b"}, cwd="/tmp")
        self.assertEqual("('b', '/tmp')", result.value)

    def test_it_is_found_extended_listed_and_ended(self):
        tag = self.sandbox.id[-12:]
        self.sandbox.set_metadata({"tag": tag})
        with Sandbox(metadata={"tag": tag}, memory_mb=100, timeout_seconds=60) as other, Client() as client:
            self.assertEqual([self.sandbox.id, other.id], [one.id for one in client.sandboxes(metadata={"tag": tag}, page_size=1)])
            self.assertEqual((100, "python", "running"), (other.info().memory_mb, other.info().template, other.info().state))
            self.assertGreater(other.extend(1000).expires, self.sandbox.info().expires)
            again = Sandbox.connect(other.id)
            other.run("v = 'kept'")
            self.assertEqual("'kept'", again.run("v").value)
        with self.assertRaises(NotFoundError):
            again.info()
        again.close()
        with self.assertRaises(NotFoundError):
            again.delete()

    def test_a_sandbox_goes_with_its_object_unless_detached(self):
        client = Client()
        gone, kept = Sandbox(client=client), Sandbox(client=client)
        ids = gone.id, kept.detach()
        del gone, kept
        gc.collect()
        with self.assertRaises(NotFoundError):
            client.get_sandbox(ids[0])
        client.delete_sandbox(ids[1])

    def test_a_sandbox_goes_with_its_program(self):
        child = subprocess.run([sys.executable, "-c", "from ramet import Sandbox; sb = Sandbox(); print(sb.id)"], stdout=subprocess.PIPE, check=True)
        with self.assertRaises(NotFoundError):
            Sandbox.connect(child.stdout.decode().strip())

    def test_logs_hold_what_was_printed(self):
        self.sandbox.run("print('in the log')")
        self.assertIn("in the log", self.sandbox.logs().output)

    def test_the_shortest_use_prints_what_the_code_prints(self):
        child = subprocess.run([sys.executable, "-c", 'from ramet import Sandbox; sb = Sandbox(); print(sb.run("print(1 + 1)"))'], stdout=subprocess.PIPE, check=True)
        self.assertEqual(b"2\n", child.stdout.replace(b"\r", b""))


if __name__ == "__main__":
    unittest.main()
