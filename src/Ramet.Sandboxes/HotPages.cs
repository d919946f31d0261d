namespace Ramet.Sandboxes;

/// <summary>
/// Pages that nearly every run writes. Each costs two faults in a fork (the first read maps the template's page, the first write copies it), 8 to 10 us apiece under shadow paging;
/// backed in advance, in one host call for all, it costs 2 us. Which they are is found by running typical code in trial forks when a template is built.
/// </summary>
internal static class HotPages
{
    private const ulong PageSize = 4096;
    private const ulong PieceSize = 16 * PageSize;

    /// <summary>Guest-physical addresses of pages that all typical programs of a runtime write.</summary>
    public static HashSet<ulong> Record(SandboxEngine engine, Template template, TemplateRuntime runtime)
    {
        HashSet<ulong>? common = null;
        foreach (string code in runtime.TypicalCode)
        {
            using var sandbox = engine.Fork(template, new SandboxOptions { Timeout = TimeSpan.FromSeconds(30) });
            sandbox.Execute(new ExecRequest { Code = code });
            sandbox.Drive();
            if (!sandbox.RunnerReplied) return [];
            var written = new HashSet<ulong>();
            foreach (var (address, length) in sandbox.Machine.Memory.FindWrittenPages())
            {
                for (ulong page = address; page < address + length; page += PageSize) written.Add(page);
            }

            if (common is null) common = written;
            else common.IntersectWith(written);
        }

        return common ?? [];
    }

    /// <summary>
    /// Backs the template's hot pages in a fork. In small pieces: the host holds the lock of the process's address space for each, and others who map memory wait for it.
    /// </summary>
    public static void Provide(Sandbox sandbox, Template template)
    {
        foreach (var range in template.Manifest.HotRanges)
        {
            for (ulong done = 0; done < range.Length; done += PieceSize)
                sandbox.Machine.Memory.Populate(range.Address + done, Math.Min(PieceSize, range.Length - done));
        }
    }
}
