using Xunit;

namespace Ramet.Runtimes.Tests;

/// <summary>Python programs in a sandbox (tests/programs/python), each of which checks itself.</summary>
[Collection(nameof(Alone))]
public class PythonTests(RametCli ramet)
{
    [Theory]
    [InlineData("processes.py", "subprocess ok\nfork ok\nspawn ok\nforkserver ok\n")]
    [InlineData("concurrency.py", "threading ok\nasyncio ok\nssl ok\nsqlite3 ok\n")]
    [InlineData("frames.py", "pandas ok\n")]
    public void A_program_runs(string file, string output) => Assert.Equal(new Outcome(0, output, ""), ramet.Run("python-full", "python", "python3", file));

    [Fact]
    public void Pip_installs_a_wheel_into_a_virtual_environment_and_pytest_runs()
    {
        var outcome = ramet.Run("python-full", "python", "sh", "packages.sh");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Equal("hello wheel\ngreeter    1.2.3\n1 failed, 3 passed\n", outcome.Output);
    }

    /// <summary>
    /// The modules of tests/programs/cpython/quick.txt (all: <c>python3 suite.py check full</c> there): what passes on the bare machine passes here, and the list of what
    /// does not yet only shrinks.
    /// </summary>
    [Fact]
    public void Modules_of_CPythons_regression_suite_pass_as_on_the_bare_machine()
    {
        var outcome = ramet.Run("python-full", "cpython", "python3", "suite.py", "check");
        Assert.True(outcome.ExitCode == 0, outcome.Output + outcome.Error);
        Assert.EndsWith("Tests result: SUCCESS\n", outcome.Output, StringComparison.Ordinal);
    }

    /// <summary>The whole suite, a dozen modules to a sandbox.</summary>
    [Fact]
    public void All_of_CPythons_regression_suite_passes_as_on_the_bare_machine()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("RAMET_TEST_LONG") == "1", "An hour: with RAMET_TEST_LONG=1 only.");
        string[] modules = [.. File.ReadAllLines(Path.Combine(ramet.Root, "tests", "programs", "cpython", "modules.txt")).Where(line => line.Length > 0)];
        Assert.True(modules.Length > 400, $"modules.txt has {modules.Length} modules.");
        var problems = new List<string>();
        foreach (string[] some in modules.Chunk(12))
        {
            var outcome = ramet.Run("python-full", "cpython", ["-m", "8G", "--cpus", "2"], ["python3", "suite.py", "check", .. some], TimeSpan.FromMinutes(30));
            if (outcome.ExitCode != 0 || !outcome.Output.EndsWith("Tests result: SUCCESS\n", StringComparison.Ordinal)) problems.Add(outcome.Output + outcome.Error);
        }

        Assert.Empty(problems);
    }
}

/// <summary>Nothing runs beside these: CPython's suite has bounds of milliseconds of its own.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
