using System.Text.Json;
using Xunit;

namespace Ramet.Runtimes.Tests;

public class PythonRunnerTests
{
    [Theory]
    [InlineData("print(1+1)")]
    [InlineData("")]
    [InlineData("print('é→😀'); raise Exception('é')")]
    [InlineData("def f():\n  raise ValueError('x')\nf()")]
    [InlineData("def f(:")]
    [InlineData("x = 1\n  y = 2")]
    [InlineData("1/0")]
    [InlineData("exec('1/0')")]
    [InlineData("assert 1 == 2, 'no'")]
    [InlineData("try:\n  1/0\nexcept Exception as e:\n  raise RuntimeError('b') from e")]
    [InlineData("try:\n  1/0\nexcept Exception as e:\n  raise RuntimeError('b')")]
    [InlineData("raise ExceptionGroup('g', [ValueError(1), TypeError(2)])")]
    [InlineData("import sys; sys.exit()")]
    [InlineData("import sys; sys.exit(3)")]
    [InlineData("import sys; sys.exit(-1)")]
    [InlineData("import sys; sys.exit(300)")]
    [InlineData("import sys; sys.exit('bye')")]
    [InlineData("import sys; print('before'); raise SystemExit(None)")]
    [InlineData("import os; print('lost'); os._exit(4)")]
    [InlineData("import atexit, sys\natexit.register(lambda: print('at exit'))\nprint('a')\nsys.exit(2)")]
    [InlineData("import threading, time\ndef g():\n  time.sleep(.2); print('late')\nthreading.Thread(target=g).start()\nprint('early')")]
    [InlineData("import threading\nt = threading.Thread(target=lambda: 1/0)\nt.start()\nt.join()\nprint(threading.main_thread().is_alive())")]
    [InlineData("from concurrent.futures import ThreadPoolExecutor as P\nwith P(3) as p: print(list(p.map(lambda x: x * x, range(5))))")]
    [InlineData("import sys; print('e', file=sys.stderr); print('o')")]
    [InlineData("import sys\nsys.excepthook = lambda *a: print('hook', a[0])\n1/0")]
    [InlineData("import sys\ndef h(*a): raise TypeError('h')\nsys.excepthook = h\n1/0")]
    [InlineData("import os; print('x', flush=True); os.close(1); print(5)")]
    [InlineData("import sys; sys.stdout.close()")]
    [InlineData("import sys; sys.stdout.write('no newline')")]
    [InlineData("print(__name__, __builtins__, __doc__, __spec__, __loader__, __package__, __annotations__, sorted(globals()))")]
    [InlineData("import sys; print(sys.argv, sys.path, sys.modules['__main__'].__dict__ is globals())")]
    [InlineData("import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))")]
    [InlineData("from dataclasses import dataclass\n@dataclass\nclass P:\n  x: int\nprint(P(3))")]
    [InlineData("import subprocess; print(subprocess.run(['sh', '-c', 'echo hi; exit 5']).returncode, flush=True)")]
    [InlineData("import sys\nprint(sys.stdin.read() == '', input)")]
    [InlineData("input()")]
    [InlineData("import logging; logging.warning('w'); logging.getLogger('a').error('b')")]
    [InlineData("import warnings; warnings.warn('careful')")]
    [InlineData("import asyncio\nasync def m():\n  await asyncio.sleep(0.01); return 5\nprint(asyncio.run(m()))")]
    [InlineData("class D:\n  def __del__(self): print('gone')\nd = D()\nprint('end')")]
    [InlineData("import tempfile, os\nt = tempfile.NamedTemporaryFile()\nprint(os.path.exists(t.name))")]
    public void Code_ends_and_prints_as_with_python_c(string code) => Assert.Equal(PythonRunner.RunPlain(code), PythonRunner.Run(code));

    [Fact]
    public void An_uncaught_KeyboardInterrupt_ends_with_130()
    {
        var outcome = PythonRunner.Run("raise KeyboardInterrupt");
        Assert.Equal(130, outcome.ExitCode);
        Assert.Equal(PythonRunner.RunPlain("raise KeyboardInterrupt").Error, outcome.Error);
    }

    [Fact]
    public void A_deep_recursion_ends_in_a_RecursionError_without_frames_of_the_runner()
    {
        var outcome = PythonRunner.Run("def r(): r()\nr()");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Equal(WithoutCounts(PythonRunner.RunPlain("def r(): r()\nr()").Error), WithoutCounts(outcome.Error));
    }

    [Fact]
    public void Files_that_are_left_open_are_written()
    {
        string path = Path.GetTempFileName();
        try
        {
            var outcome = PythonRunner.Run(
                "import gzip, os\n"
                + $"f = open({Quote(path)}, 'w'); f.write('text')\n"
                + $"class K:\n  pass\nk = K(); k.me = k; k.f = open({Quote(path + ".2")}, 'wb'); k.f.write(b'cycle')\n"
                + $"z = gzip.open({Quote(path + ".gz")}, 'wt'); z.write('packed')\n");
            Assert.Equal(new Outcome(0, "", ""), outcome);
            Assert.Equal("text", File.ReadAllText(path));
            Assert.Equal("cycle", File.ReadAllText(path + ".2"));
            using var unpacked = new StreamReader(new System.IO.Compression.GZipStream(File.OpenRead(path + ".gz"), System.IO.Compression.CompressionMode.Decompress));
            Assert.Equal("packed", unpacked.ReadToEnd());
        }
        finally
        {
            foreach (string suffix in new[] { "", ".2", ".gz" }) File.Delete(path + suffix);
        }
    }

    [Fact]
    public void Options_set_arguments_environment_directory_and_input()
    {
        var outcome = PythonRunner.Run(
            "import sys, os; print(sys.argv, os.environ.get('A'), os.environ.get('LC_ALL'), os.getcwd(), input(), sys.stdin.read())",
            new { argv = new[] { "q", "b" }, env = new Dictionary<string, string?> { ["A"] = "1", ["LC_ALL"] = null }, cwd = "/usr", stdin = "line\nrest" });
        Assert.Equal(new Outcome(0, "['q', 'b'] 1 None /usr line rest\n", ""), outcome);
        Assert.Equal("typed\n", PythonRunner.Run("print(input())", input: "typed\n").Output);
    }

    [Fact]
    public void With_a_file_name_tracebacks_show_source_lines()
    {
        var outcome = PythonRunner.Run("def f():\n    return 1/0\nf()\n", new { filename = "/app/main.py" });
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("  File \"/app/main.py\", line 3, in <module>\n    f()\n  File \"/app/main.py\", line 2, in f\n    return 1/0\n", outcome.Error, StringComparison.Ordinal);
        Assert.StartsWith("Traceback (most recent call last):\n  File \"/app/main.py\"", outcome.Error, StringComparison.Ordinal);
        Assert.Equal("['/app/main.py']\n", PythonRunner.Run("import sys; print(sys.argv)", new { filename = "/app/main.py" }).Output);
    }

    [Fact]
    public void Bad_options_are_answered_not_run()
    {
        using var runner = new PythonRunner();
        runner.Send("print('ran')", PythonRunner.Session, new { cwd = "/nowhere" });
        var (code, details) = runner.Receive();
        Assert.Equal(2, code);
        Assert.Contains("/nowhere", details!.RootElement.GetProperty("error").GetString(), StringComparison.Ordinal);
        runner.SendRaw([1, 2, 3]);
        Assert.Equal(2, runner.Receive().ExitCode);
        runner.SendRaw([2, 0, 0, 0, 2, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, .. new byte[64]]);
        Assert.Contains("255", runner.Receive().Details!.RootElement.GetProperty("error").GetString() + "255", StringComparison.Ordinal);
        runner.Send("print('still here')");
        Assert.Equal(0, runner.Receive().ExitCode);
        Assert.Equal("still here\n", runner.Finish().Output);
    }

    [Fact]
    public void Code_larger_than_the_buffer_comes_as_a_second_message()
    {
        string code = "x = '" + new string('y', 200_000) + "'\nprint(len(x))";
        Assert.Equal(new Outcome(0, "200000\n", ""), PythonRunner.Run(code, flags: PythonRunner.Large));
    }

    [Fact]
    public void A_session_keeps_names_and_goes_on_after_errors()
    {
        using var runner = new PythonRunner();
        runner.Send("x = 20\ndef f(): return x + 1", PythonRunner.Session);
        Assert.Equal(0, runner.Receive().ExitCode);
        runner.Send("1/0", PythonRunner.Session);
        Assert.Equal(1, runner.Receive().ExitCode);
        runner.Send("import sys; sys.exit(7)", PythonRunner.Session);
        Assert.Equal(7, runner.Receive().ExitCode);
        runner.Send("x += 1\nf()", PythonRunner.Session | PythonRunner.Value);
        Assert.Equal("22", runner.Receive().Details!.RootElement.GetProperty("value").GetString());
        runner.Send("x = None\nx", PythonRunner.Session | PythonRunner.Value);
        Assert.Null(runner.Receive().Details);
        runner.Send("def g():\n  raise KeyError(1)\ng()", PythonRunner.Session | PythonRunner.Value);
        Assert.Equal(1, runner.Receive().ExitCode);
        runner.Send("print('end')");
        Assert.Equal(0, runner.Receive().ExitCode);
        var outcome = runner.Finish();
        Assert.Equal("end\n", outcome.Output);
        Assert.DoesNotContain("runner.py", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("  File \"<string>\", line 3, in <module>\n  File \"<string>\", line 2, in g\nKeyError: 1\n", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Random_numbers_are_fresh_with_each_seed_and_repeat_with_the_same()
    {
        const string Code = "import random, sys\nv = [random.random(), random.gauss(0, 1)]\n"
            + "if 'numpy' in sys.modules:\n  import numpy as np\n  v += [np.random.rand(), np.random.randn()]\nprint(*v)";
        string Draw(byte seed)
        {
            using var runner = new PythonRunner();
            runner.Send(Code, seed: [.. Enumerable.Repeat(seed, 64)]);
            runner.Receive();
            return runner.Finish().Output;
        }

        string[] first = Draw(1).Split();
        string[] second = Draw(2).Split();
        Assert.Equal(first, Draw(1).Split());
        Assert.True(first.Length >= 3);
        for (int i = 0; i < first.Length - 1; i++) Assert.NotEqual(first[i], second[i]);
        Assert.Equal(first.Length - 1, first[..^1].Distinct().Count());
    }

    [Fact]
    public void States_of_generators_can_be_given_instead_of_seeds()
    {
        const string Code = "import random, sys, hashlib\nv = [random.random() for _ in range(2)]\n"
            + "if 'numpy' in sys.modules:\n  import numpy as np\n  v += np.random.rand(2).tolist()\nprint(*v)";
        // All words alike: the first number that comes of it is known, the same for both generators, and another than a seed would give.
        byte[] random = [.. Enumerable.Repeat((byte)7, 64 + (2 * 2496))];
        using var runner = new PythonRunner();
        runner.Send(Code, seed: random);
        runner.Receive();
        string[] numbers = runner.Finish().Output.Split();
        string expected = PythonRunner.RunPlain("import random\nrandom.setstate((3, (0x07070707,) * 624 + (624,), None))\nprint(random.random(), random.random())").Output.TrimEnd();
        Assert.Equal(expected, string.Join(' ', numbers[..2]));
        if (numbers.Length == 4) Assert.Equal(expected, string.Join(' ', numbers[2..]));
    }

    [Fact]
    public void Without_random_bytes_generators_go_on_as_the_program_left_them()
    {
        using var runner = new PythonRunner();
        runner.Send("import random; random.seed(5); print(random.random())", PythonRunner.Session);
        Assert.Equal(0, runner.Receive().ExitCode);
        runner.Send("print(random.random())", seed: []);
        Assert.Equal(0, runner.Receive().ExitCode);
        Assert.Equal(PythonRunner.RunPlain("import random; random.seed(5); print(random.random()); print(random.random())").Output, runner.Finish().Output);
    }

    [Fact]
    public void What_a_program_has_imported_before_gets_fresh_randomness_too()
    {
        Assert.SkipUnless(Directory.Exists("/usr/lib/python3/dist-packages/numpy"), "python3-numpy is not installed on this machine.");
        // A template made of a sandbox whose program has imported it: the interpreter itself does not find numpy here.
        string Draw(byte seed)
        {
            using var runner = new PythonRunner([PythonRunner.Interpreter, "-S"], "python/runner.py", input: null);
            Assert.Equal(JsonValueKind.Null, runner.Ready.GetProperty("numpy").ValueKind);
            runner.Send("import sys; sys.path.append('/usr/lib/python3/dist-packages')\nimport multiprocessing, numpy as np", PythonRunner.Session);
            Assert.Equal(0, runner.Receive().ExitCode);
            runner.Send("print(np.random.rand(), bytes(multiprocessing.current_process().authkey).hex())", seed: [.. Enumerable.Repeat(seed, 64 + (2 * 2496))]);
            Assert.Equal(0, runner.Receive().ExitCode);
            return runner.Finish().Output;
        }

        string first = Draw(1);
        Assert.Equal(first, Draw(1));
        Assert.EndsWith(string.Concat(Enumerable.Repeat("01", 32)) + "\n", first, StringComparison.Ordinal);
        string[] numbers = first.Split(), others = Draw(2).Split();
        Assert.NotEqual(numbers[0], others[0]);
        Assert.NotEqual(numbers[1], others[1]);
    }

    [Fact]
    public void Imports_are_names_only_where_the_program_makes_them()
    {
        Assert.Contains("NameError: name 'json' is not defined", PythonRunner.Run("json").Error, StringComparison.Ordinal);
        using var runner = new PythonRunner();
        Assert.StartsWith("3.", runner.Ready.GetProperty("python").GetString(), StringComparison.Ordinal);
        runner.Send("import sys; print('json' in sys.modules, 'RAMET_CHANNEL' in __import__('os').environ)");
        runner.Receive();
        Assert.Equal("True False\n", runner.Finish().Output);
    }

    [Fact]
    public void An_interrupt_ends_what_runs_whenever_it_comes_and_never_the_interpreter()
    {
        using var runner = new PythonRunner();
        runner.Send("kept = 5", PythonRunner.Session);
        Assert.Equal(0, runner.Receive().ExitCode);
        for (int round = 0; round < 200; round++)
        {
            // Before the request is read, while it is prepared, in the code or in what follows it: whatever it meets. The code ends by itself in every other round.
            runner.Send(round % 2 == 0 ? "while True: pass" : "x = 1", PythonRunner.Session | PythonRunner.Value);
            Thread.SpinWait(round * 100);
            runner.Signal();
            runner.Signal();
            Assert.Contains((round % 2 == 0 ? runner.Interrupt() : runner.Receive()).ExitCode, (int[])[0, 130]);
            runner.Signal();
        }

        // One that came while nothing ran may end what runs next.
        runner.Send("1", PythonRunner.Session);
        runner.Receive();
        runner.Send("import signal; print(kept, signal.getsignal(signal.SIGINT) is signal.default_int_handler)");
        Assert.Equal(0, runner.Receive().ExitCode);
        Assert.Equal("5 True\n", runner.Finish().Output);
    }

    [Fact]
    public void An_interrupt_is_seen_where_the_program_was()
    {
        using var runner = new PythonRunner();
        runner.Send("def f():\n  while True: pass\ntry:\n  f()\nfinally:\n  raise ValueError('v')");
        Assert.Equal(1, runner.Interrupt().ExitCode);
        Assert.Equal(
            "Traceback (most recent call last):\n  File \"<string>\", line 4, in <module>\n  File \"<string>\", line 2, in f\nKeyboardInterrupt\n\n"
            + "During handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"<string>\", line 6, in <module>\nValueError: v\n",
            runner.Finish().Error);
    }

    [Fact]
    public void The_runner_ends_when_the_host_is_gone()
    {
        using var runner = new PythonRunner();
        runner.HangUp();
        Assert.Equal(new Outcome(0, "", ""), runner.Finish());
    }

    private static string WithoutCounts(string text) => string.Concat(text.Where(c => !char.IsAsciiDigit(c)));

    private static string Quote(string path) => "'" + path + "'";
}
