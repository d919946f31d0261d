using System.Text;

namespace Ramet.Programs.Tests;

/// <summary>
/// A bash script of the folder Scripts with what it is to print and how it is to end. Its header says where it runs: <c># image: NAME</c>, and options of
/// <c>ramet run</c> in <c># run: OPTIONS</c>. Lines that begin with <c>#&gt;</c> are its output, <c>#! exit N</c> is its exit code when not 0.
/// </summary>
internal sealed record Script(string Name, string Image, string[] Options, string Body, string Output, int ExitCode)
{
    public static Script Read(string name)
    {
        string image = "";
        string[] options = [];
        int exitCode = 0;
        var body = new StringBuilder();
        var output = new StringBuilder();
        foreach (string line in File.ReadAllLines(Path.Combine(Programs.Root, "tests", "Ramet.Programs.Tests", "Scripts", name + ".sh")))
        {
            if (line.StartsWith("#>", StringComparison.Ordinal)) output.Append(line.AsSpan(line.StartsWith("#> ", StringComparison.Ordinal) ? 3 : 2)).Append('\n');
            else if (line.StartsWith("#! exit ", StringComparison.Ordinal)) exitCode = int.Parse(line["#! exit ".Length..], null);
            else if (line.StartsWith("# image: ", StringComparison.Ordinal)) image = line["# image: ".Length..];
            else if (line.StartsWith("# run: ", StringComparison.Ordinal)) options = line["# run: ".Length..].Split(' ');
            else body.Append(line).Append('\n');
        }

        Assert.NotEqual("", image);
        // A script without expectations would pass whatever it does.
        Assert.True(output.Length > 0, $"{name}.sh expects no output at all.");
        return new Script(name, image, options, body.ToString(), output.ToString(), exitCode);
    }

    /// <summary>Asserts on a run of it, and shows both streams when they are not what they should be.</summary>
    public void Check(Outcome outcome, string where)
    {
        if (outcome.Stdout == Output && outcome.ExitCode == ExitCode) return;
        string[] expected = Output.Split('\n');
        string[] actual = outcome.Stdout.Split('\n');
        int line = 0;
        while (line < expected.Length && line < actual.Length && expected[line] == actual[line]) line++;
        string difference = line < expected.Length || line < actual.Length
            ? $"line {line + 1} of its output is '{(line < actual.Length ? actual[line] : "(missing)")}' where '{(line < expected.Length ? expected[line] : "(the end)")}' is expected"
            : "its output is right";
        Assert.Fail($"{Name}.sh {where}: exit code {outcome.ExitCode} (expected {ExitCode}), {difference}.\n== stdout\n{outcome.Stdout}== stderr\n{outcome.Stderr}");
    }
}
