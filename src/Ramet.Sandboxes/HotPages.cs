namespace Ramet.Sandboxes;

/// <summary>
/// Pages that nearly every run writes. Each costs two faults in a fork (the first read maps the template's page, the first write copies it), 8 to 10 us apiece under shadow paging;
/// backed in advance, in one host call for a range, it costs 2 us. Which they are is found by running typical code in trial forks when a template is built.
/// </summary>
internal static class HotPages
{
    private const ulong PageSize = 4096;

    /// <summary>Runs of pages that all typical programs of a runtime write.</summary>
    public static IReadOnlyList<MemoryRange> Record(SandboxEngine engine, Template template, TemplateRuntime runtime)
    {
        SortedSet<ulong>? common = null;
        foreach (string code in runtime.TypicalCode)
        {
            using var sandbox = engine.Fork(template, new SandboxOptions { Timeout = TimeSpan.FromSeconds(30) });
            sandbox.CloseInput();
            sandbox.StopAtReply();
            sandbox.PostToRunner(new RunnerRequest(new ExecRequest { Code = code }, RunnerFlags.None));
            sandbox.Drive(() => sandbox.RunnerReplied);
            if (!sandbox.RunnerReplied) return [];
            var written = new SortedSet<ulong>();
            foreach (var (address, length) in sandbox.Machine.Memory.FindWrittenPages())
            {
                for (ulong page = address; page < address + length; page += PageSize) written.Add(page);
            }

            if (common is null) common = written;
            else common.IntersectWith(written);
        }

        return Join(common ?? []);
    }

    /// <summary>Backs the template's hot pages in a fork that has not run yet.</summary>
    public static void Provide(Sandbox sandbox, Template template)
    {
        foreach (var range in template.Manifest.HotRanges) sandbox.Machine.Memory.Populate(range.Address, range.Length);
    }

    private static List<MemoryRange> Join(SortedSet<ulong> pages)
    {
        var ranges = new List<MemoryRange>();
        foreach (ulong page in pages)
        {
            if (ranges.Count > 0 && ranges[^1].Address + ranges[^1].Length == page) ranges[^1] = ranges[^1] with { Length = ranges[^1].Length + PageSize };
            else ranges.Add(new MemoryRange(page, PageSize));
        }

        return ranges;
    }
}
