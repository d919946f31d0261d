using System.Text;
using Ramet.Sandboxes;

namespace Ramet.Benchmarks;

/// <summary>Code and the answer that is right.</summary>
/// <param name="Code">For the Python template.</param>
/// <param name="Expected">All of its standard output.</param>
internal sealed record Check(string Code, string Expected)
{
    /// <exception cref="BenchmarkException">The answer was another.</exception>
    public void Verify(ExecResult result)
    {
        string stdout = Encoding.UTF8.GetString(result.Result.Stdout), stderr = Encoding.UTF8.GetString(result.Result.Stderr);
        if (result.Result.End == SandboxEnd.Exited && result.Result.ExitCode == 0 && stdout == Expected && stderr.Length == 0 && result.FirstOutputNanoseconds is not null) return;
        throw new BenchmarkException(
            $"A wrong answer: '{Code}' ended as {result.Result.End} with exit code {result.Result.ExitCode} and printed '{stdout}' where '{Expected}' is right. {result.Result.Message} {stderr}".TrimEnd());
    }
}
