namespace Ramet.Sdk.Tests;

public sealed class PythonTests(Daemon daemon)
{
    [Fact]
    public void The_wheel_that_pip_builds_passes_the_tests_of_the_Python_SDK()
    {
        using var work = new Workplace();
        string python = PythonPackage.Install(work);
        string tests = work["tests"];
        Tools.Copy(Path.Combine(Tools.Root, "sdk", "python", "tests"), tests);
        var outcome = Tools.Must(work.Path, new Dictionary<string, string> { ["RAMET_URL"] = daemon.Url }, python, "-m", "unittest", "discover", "-s", tests);
        Assert.Contains("\nOK\n", outcome.Stderr, StringComparison.Ordinal);
        Assert.True(outcome.Number("Ran ", " tests in") > 40, outcome.Text);
        // Something was tested that is not on this machine's path by chance.
        Assert.StartsWith(work["venv"], Tools.Must(work.Path, null, python, "-c", "import ramet; print(ramet.__file__)").Stdout, StringComparison.Ordinal);
    }
}

/// <summary>The Python package as its users get it.</summary>
internal static class PythonPackage
{
    /// <summary>Builds a wheel and installs it into a virtual environment, without any network. Gives the environment's interpreter.</summary>
    public static string Install(Workplace work)
    {
        const string Packages = "python3 python3-venv python3-setuptools python3-wheel";
        // Debian's own: it has setuptools and wheel, which build the package.
        string system = Tools.Find(Packages, "/usr/bin/python3");
        string source = work["source"];
        Tools.Copy(Path.Combine(Tools.Root, "sdk", "python"), source);
        Assert.True(Tools.Run(work.Path, null, system, "-c", "import venv, ensurepip, setuptools, wheel").ExitCode == 0, $"Modules of Python are missing. Install them: sudo apt-get install {Packages}");
        Tools.Must(work.Path, null, system, "-m", "venv", "--system-site-packages", work["build"]);
        Tools.Must(work.Path, null, Path.Combine(work["build"], "bin", "pip"), "wheel", "-q", "--no-index", "--no-deps", "--no-build-isolation", "-w", work["wheels"], source);
        string wheel = Assert.Single(Directory.GetFiles(work["wheels"], "ramet-*-py3-none-any.whl"));
        Tools.Must(work.Path, null, system, "-m", "venv", work["venv"]);
        string bin = Path.Combine(work["venv"], "bin");
        Tools.Must(work.Path, null, Path.Combine(bin, "pip"), "install", "-q", "--no-index", wheel);
        return Path.Combine(bin, "python3");
    }
}
