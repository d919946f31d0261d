using System.Globalization;
using Ramet.Kernel.Loading;
using Ramet.Kernel.Platform;
using Xunit;

namespace Ramet.Kernel.Tests.Loading;

public class VdsoTests
{
    private static readonly string Sources = Path.Combine(Repository(), "src", "Ramet.Kernel", "Loading");

    /// <summary>Runs the native test program over a page; returns its lines by their first words.</summary>
    private static Dictionary<string, string[]> Run(TscClock? clock, long monotonicOffset)
    {
        using var folder = new TemporaryFolder();
        byte[] page = new byte[4096];
        VvarPage.Write(page, clock, monotonicOffset, 7);
        Assert.Equal(7, BitConverter.ToInt64(page, VvarPage.GenerationOffset));
        Assert.Equal(2u, BitConverter.ToUInt32(page));
        File.WriteAllBytes(folder.File("vvar"), page);
        File.WriteAllBytes(folder.File("vdso.so"), VdsoImage.Bytes.ToArray());
        string source = File.ReadAllText(Path.Combine(Repository(), "tests", "Ramet.Kernel.Tests", "Loading", "vdso-test.c"));
        string program = NativeCompiler.Compile(folder, source, "-pthread", "-Wall", "-Werror", "-O1");
        var (code, output, error) = NativeCompiler.Run(program, folder.File("vdso.so"), folder.File("vvar"));
        Assert.True(code == 0, error + output);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' '))
            .ToDictionary(words => words[0] == "clock" ? $"clock {words[1]}" : words[0], words => words[0] == "clock" ? words[2..] : words[1..]);
    }

    [Fact]
    public void Clocks_that_the_page_serves_read_exactly_its_bases_when_the_counter_does_not_count()
    {
        // A shift of 63 scales any counter to nothing.
        var facts = Run(new TscClock(0, 5_000_000_123, 1_700_000_000_987_654_321, 1, 63), 2_000_000_000);
        foreach (int clock in new[] { 1, 4, 6, 7 }) Assert.Equal(["0", "7.000000123", "0", "0.000000001"], facts[$"clock {clock}"][..4]);
        foreach (int clock in new[] { 0, 5 }) Assert.Equal(["0", "1700000000.987654321", "0", "0.000000001"], facts[$"clock {clock}"][..4]);
        Assert.Equal(["0", "1700000000.987654", "0", "0", "0"], facts["timeofday"]);
        Assert.Equal(["1700000000", "1700000000", "1700000000"], facts["time"]);
        Assert.Equal(["0", "1"], facts["cpu"]);
        Assert.Equal(["0"], facts["back"]);
        Assert.Equal(["1", "0"], facts["dlvsym"]);
        Assert.InRange(int.Parse(facts["waited"][0], CultureInfo.InvariantCulture), 40, 5000);
    }

    [Fact]
    public void The_counter_is_scaled_with_a_product_of_128_bits()
    {
        // 2^61 nanoseconds at a multiplier of 2^31 overflow 64 bits by far; the counter before its base reads as the base.
        var facts = Run(new TscClock(0, 0, 0, 1u << 31, 31), 0);
        Assert.Equal("1", facts["scaled"][0]);
        Assert.InRange(Seconds(facts["clock 1"][1]), 10, 1e10);
        Assert.Equal("0", facts["back"][0]);
        var later = Run(new TscClock(ulong.MaxValue >> 1, 42_000_000_000, 0, 1u << 31, 31), 0);
        Assert.Equal("42.000000000", later["clock 1"][1]);
    }

    [Fact]
    public void Clocks_that_the_page_does_not_serve_are_system_calls()
    {
        var facts = Run(new TscClock(0, 1, 1, 1, 63), 0);
        foreach (int clock in new[] { -6, -2, 2, 3, 11 }) AssertKernel(facts[$"clock {clock}"]);
        Assert.Equal("-1", facts["clock 12"][0]);
        Assert.Equal("-1", facts["clock 12"][2]);
    }

    [Fact]
    public void A_counter_that_is_not_usable_means_system_calls()
    {
        var facts = Run(null, 0);
        for (int clock = 0; clock < 8; clock++) AssertKernel(facts[$"clock {clock}"]);
        Assert.InRange(Seconds(facts["timeofday"][1]), DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 60, DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 2);
        Assert.InRange(long.Parse(facts["time"][0], CultureInfo.InvariantCulture), DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 60, DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 2);
        Assert.InRange(Seconds(facts["pace"][0]), 0.99, 1.01);
    }

    [Fact]
    public void The_checked_in_file_is_what_its_source_builds()
    {
        string version = NativeCompiler.Run("as", "--version").Output.Split('\n')[0];
        string expected = File.ReadAllText(Path.Combine(Sources, "Vdso.version")).Trim();
        Assert.SkipWhen(version != expected, $"Vdso.so was built with \"{expected}\"; here is \"{version}\", which may encode the same instructions differently.");
        using var folder = new TemporaryFolder();
        var (code, _, error) = NativeCompiler.Run("sh", Path.Combine(Sources, "build-vdso.sh"), folder.File("vdso.so"));
        Assert.True(code == 0, error);
        byte[] built = File.ReadAllBytes(folder.File("vdso.so"));
        Assert.Equal(built, VdsoImage.Bytes[..built.Length].ToArray());
        Assert.Equal(1, VdsoImage.PageCount);
        Assert.Contains("no relocations", NativeCompiler.Run("readelf", "-rW", folder.File("vdso.so")).Output, StringComparison.Ordinal);
    }

    /// <summary>The clock's value is the kernel's own, read a moment before.</summary>
    private static void AssertKernel(string[] facts)
    {
        Assert.Equal("0", facts[0]);
        Assert.Equal("0", facts[2]);
        Assert.InRange(Seconds(facts[6]) - Seconds(facts[1]), 0, 1);
    }

    private static double Seconds(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static string Repository()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Ramet.slnx"))) folder = Path.GetDirectoryName(folder)!;
        return folder;
    }
}
