namespace Ramet.Cli.Tests;

public sealed class LimitTests(Cli cli)
{
    [Theory]
    [InlineData("while True: pass")]
    [InlineData("import time; time.sleep(1e9)")]
    [InlineData("import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass")]
    [InlineData("import threading, time\nthreading.Thread(target=lambda: time.sleep(1e9)).start()\nthreading.Event().wait()")]
    public void What_does_not_end_is_ended_at_the_time_out(string code)
    {
        var outcome = cli.Run("exec", "--timeout", "1s", code);
        Assert.Equal(124, outcome.ExitCode);
        Assert.Contains("ramet: ", outcome.Stderr, StringComparison.Ordinal);
        Assert.Contains("after 1 s", outcome.Stderr, StringComparison.Ordinal);
        Assert.Contains("--timeout", outcome.Stderr, StringComparison.Ordinal);
        Assert.InRange(outcome.Time.TotalSeconds, 1, 20);
    }

    [Fact]
    public void A_hundred_gigabytes_are_refused_and_the_program_goes_on() =>
        cli.Run("exec", "try:\n    bytearray(100 << 30)\nexcept MemoryError:\n    print('refused')").AssertOk("refused\n");

    [Fact]
    public void A_program_that_takes_all_the_memory_costs_only_itself()
    {
        var outcome = cli.Run("exec", "--memory", "128M", "kept = []\nwhile True: kept.append(bytearray(1 << 20))");
        Assert.True(outcome.ExitCode is 1 or 137, $"exit code {outcome.ExitCode}");
        Assert.True(outcome.ExitCode == 137 ? outcome.Stderr.Contains("--memory", StringComparison.Ordinal) : outcome.Stderr.Contains("MemoryError", StringComparison.Ordinal), outcome.Stderr);
    }

    [Fact]
    public void Files_count_as_memory()
    {
        var outcome = cli.Run("exec", "--memory", "128M", "try:\n    with open('/tmp/big', 'wb') as file:\n        while True: file.write(bytes(1 << 20))\nexcept OSError as error:\n    print(error.errno)");
        Assert.True(outcome is { ExitCode: 0, Stdout: "28\n" or "12\n" } or { ExitCode: 137 }, $"exit code {outcome.ExitCode}: {outcome.Stdout}{outcome.Stderr}");
    }

    [Fact]
    public void A_fork_bomb_costs_only_its_sandbox()
    {
        var outcome = cli.Run("exec", "--timeout", "3s", "--max-processes", "64", "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass");
        Assert.True(outcome.ExitCode is 124 or 137, $"exit code {outcome.ExitCode}: {outcome.Stderr}");
        Assert.InRange(outcome.Time.TotalSeconds, 0, 30);
    }

    [Fact]
    public void The_number_of_processes_is_limited() =>
        cli.Run("exec", "--max-processes", "20", "import os, signal\npids = []\ntry:\n    while len(pids) < 100:\n        pid = os.fork()\n        if pid == 0: signal.pause()\n        pids.append(pid)\nexcept OSError as error:\n    print(error.errno, len(pids) < 20)\nfor pid in pids: os.kill(pid, 9)").AssertOk("11 True\n");

    [Fact]
    public void The_number_of_open_files_is_limited()
    {
        var outcome = cli.Run("exec", "import os\nn = 0\ntry:\n    while n < 200000:\n        os.open('/dev/null', os.O_RDONLY); n += 1\nexcept OSError as error:\n    print(error.errno)");
        Assert.True(outcome is { ExitCode: 0, Stdout: "24\n" or "23\n" }, outcome.Stdout + outcome.Stderr);
    }

    [Theory]
    [InlineData("import ctypes; ctypes.CFUNCTYPE(None)(0)()", 139)]
    [InlineData("import ctypes; ctypes.string_at(0)", 139)]
    [InlineData("import ctypes, mmap\nm = mmap.mmap(-1, 4096, prot=7)\nm.write(b'\\x0f\\x0b')\nctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()", 132)]
    public void A_crash_is_a_signal_as_on_linux(string code, int expected)
    {
        var outcome = cli.Run("exec", code);
        Assert.Equal(expected, outcome.ExitCode);
        cli.Run("exec", "print('next')").AssertOk("next\n");
    }

    [Fact]
    public void A_program_that_prints_for_ever_is_cut_off_with_a_message()
    {
        var outcome = cli.Run("exec", "--max-output", "1M", "while True: print('y' * 79)");
        Assert.Equal(153, outcome.ExitCode);
        Assert.Equal(1 << 20, outcome.StdoutBytes.Length);
        Assert.Contains("1048576 bytes", outcome.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public void Less_memory_than_the_template_needs_is_refused_with_what_is_needed()
    {
        var line = cli.Run("exec", "--memory", "16M", "print(1)").AssertRefused(125);
        Assert.Contains("--memory", line, StringComparison.Ordinal);
    }
}
