using Ramet.Kernel.Files;

namespace Ramet.Sandboxes;

/// <summary>How a built-in template comes to the point where its runner waits.</summary>
/// <param name="Name">Name of the template.</param>
/// <param name="Language">What its runner executes.</param>
/// <param name="Image">The image that it runs on.</param>
/// <param name="Files">The runner: all files of its directory in runtimes/.</param>
/// <param name="Command">The command that starts it.</param>
/// <param name="Environment">NAME=value.</param>
/// <param name="RandomBytes">Random bytes that its runner wants for a fork: 64 to seed generators with, and states to fill.</param>
/// <param name="TypicalCode">Programs whose common page writes are provided for in every fork.</param>
internal sealed record TemplateRuntime(
    string Name, string Language, string Image, IReadOnlyList<InjectedFile> Files, IReadOnlyList<string> Command, IReadOnlyList<string> Environment,
    int RandomBytes, IReadOnlyList<string> TypicalCode)
{
    private const string RunnerDirectory = "/usr/lib/ramet/";

    /// <summary>
    /// How long after an interrupt the next one follows, if what runs has not ended; then twice as long, and so on. Both runners can lose one: runtimes/node/runner.js and
    /// runtimes/python/runner.py say when. In Python it is for rare cases, and a program that deals with KeyboardInterrupt is to have time for that.
    /// </summary>
    public required TimeSpan InterruptPause { get; init; }

    /// <summary>All that there are.</summary>
    public static IReadOnlyList<TemplateRuntime> All { get; } =
    [
        new TemplateRuntime(
            "python",
            "python",
            "python",
            Load("python/"),
            ["/usr/bin/python3", RunnerDirectory + "runner.py"],
            [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME=/root",
                "LANG=C.UTF-8",
                "RAMET_CHANNEL=3",
                "OPENBLAS_NUM_THREADS=1",
            ],
            64 + (2 * 2496),
            ["print(1+1)", "import numpy as np\nprint(np.random.rand(3))", "x = [i * i for i in range(100)]\nprint(sum(x))"]) { InterruptPause = TimeSpan.FromSeconds(1) },
        new TemplateRuntime(
            "node",
            "node",
            "node",
            Load("node/"),
            ["/usr/bin/node", "--no-force-async-hooks-checks", RunnerDirectory + "runner.js"],
            ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "RAMET_CHANNEL=3"],
            64,
            ["console.log(1+1)", "const a = [1, 2, 3].map(x => x * x);\nconsole.log(a, { b: a.length });", "const fs = require('fs');\nfor (const f of fs.readdirSync('/etc')) if (f === 'passwd') console.log(f);"]) { InterruptPause = TimeSpan.FromMilliseconds(150) },
    ];

    /// <summary>The runtime of a template, or null.</summary>
    public static TemplateRuntime? Find(string name) => All.FirstOrDefault(runtime => runtime.Name == name);

    private static InjectedFile[] Load(string resources)
    {
        var assembly = typeof(TemplateRuntime).Assembly;
        return [.. assembly.GetManifestResourceNames().Where(name => name.StartsWith(resources, StringComparison.Ordinal)).Order(StringComparer.Ordinal).Select(name =>
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            byte[] bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return new InjectedFile(RunnerDirectory + name[resources.Length..], bytes);
        })];
    }
}
