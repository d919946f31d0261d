import os
import unittest

from ramet.zeroboot import Sandbox


class ZerobootTests(unittest.TestCase):
    def test_programs_for_zeroboot_run_with_another_import_and_address(self):
        sb = Sandbox("zb_live_your_api_key", os.environ["RAMET_URL"] + "/")
        result = sb.run("import sys\nprint(1 + 1)\nprint('e', file=sys.stderr)\nsys.exit(3)")
        self.assertEqual(("2\n", "e\n", 3, "2"), (result.stdout, result.stderr, result.exit_code, str(result)))
        self.assertTrue(result.id)
        self.assertGreaterEqual(result.fork_time_ms, 0)
        self.assertGreater(result.exec_time_ms, 0)
        self.assertGreaterEqual(result.total_time_ms, result.exec_time_ms)
        self.assertEqual(["2\n", "6\n"], [one.stdout for one in sb.run_batch(["print(1 + 1)", "print(2 * 3)"])])
        self.assertEqual(124, sb.run("while True: pass", timeout=1).exit_code)

    def test_errors_are_runtime_errors(self):
        with self.assertRaisesRegex(RuntimeError, r"API error \(400\): .*cobol"):
            Sandbox("key", base_url=os.environ["RAMET_URL"]).run("1", language="cobol")


if __name__ == "__main__":
    unittest.main()
