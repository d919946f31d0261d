using Xunit;

namespace Ramet.Runtimes.Tests;

/// <summary>Programs in Go, Java, Perl and Ruby (tests/programs/languages), each of which checks itself.</summary>
public class LanguageTests(RametCli ramet)
{
    [Theory]
    [InlineData("perl", "program.pl", "HELLO\nperl ok 3\n")]
    [InlineData("ruby", "program.rb", "ruby ok\n")]
    public void A_script_runs(string interpreter, string file, string output) => Assert.Equal(new Outcome(0, output, ""), ramet.Run("languages", "languages", interpreter, file));

    [Fact]
    public void Go_builds_runs_and_tests_a_program()
    {
        var outcome = ramet.Run("languages", "languages", "sh", "go.sh");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.StartsWith("go1.19\ngoroutines ok\nnet/http ok\nprocesses ok\n", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Java_compiles_and_runs_a_threaded_program()
    {
        var outcome = ramet.Run("languages", "languages", "sh", "java.sh");
        Assert.Equal(3, outcome.ExitCode);
        Assert.Equal("version \"17\nthreads ok\nmemory ok\noutside ok\nshutdown hook ok\n", outcome.Output);
    }
}
