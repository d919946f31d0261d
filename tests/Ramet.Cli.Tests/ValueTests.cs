using Ramet.Cli.Input;

namespace Ramet.Cli.Tests;

public sealed class ValueTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("4096", 4096)]
    [InlineData("256M", 256L << 20)]
    [InlineData("256m", 256L << 20)]
    [InlineData("512MiB", 512L << 20)]
    [InlineData("512MB", 512L << 20)]
    [InlineData("1G", 1L << 30)]
    [InlineData("1.5G", 3L << 29)]
    [InlineData("64KiB", 65536)]
    [InlineData("2T", 2L << 40)]
    public void Sizes_are_read(string text, long expected)
    {
        Assert.True(ByteSize.TryParse(text, out ulong size));
        Assert.Equal((ulong)expected, size);
    }

    [Theory]
    [InlineData("")]
    [InlineData("M")]
    [InlineData("1e6")]
    [InlineData("-1M")]
    [InlineData("+1M")]
    [InlineData("1 M")]
    [InlineData("1.M")]
    [InlineData(".5M")]
    [InlineData("1.0.0M")]
    [InlineData("0.3")]
    [InlineData("0x10")]
    [InlineData("1P")]
    [InlineData("1MiBs")]
    [InlineData("99999999999999999999")]
    [InlineData("99999999999999999999999999999999999999G")]
    [InlineData("٣M")]
    public void Other_sizes_are_refused(string text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData("30s", 30_000)]
    [InlineData("500ms", 500)]
    [InlineData("2m", 120_000)]
    [InlineData("1h30m", 5_400_000)]
    [InlineData("1m0.5s", 60_500)]
    [InlineData("0s", 0)]
    [InlineData("365h", 1_314_000_000)]
    public void Durations_are_read(string text, long milliseconds)
    {
        Assert.True(Duration.TryParse(text, out var duration));
        Assert.Equal(milliseconds, duration.TotalMilliseconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("30")]
    [InlineData("s")]
    [InlineData("30 s")]
    [InlineData("-30s")]
    [InlineData("1e3s")]
    [InlineData("30S")]
    [InlineData("30sec")]
    [InlineData("1s1s")]
    [InlineData("1s2m")]
    [InlineData("1h30")]
    [InlineData("9000h")]
    [InlineData("99999999999999999999999999999h")]
    [InlineData("inf")]
    public void Other_durations_are_refused(string text) => Assert.False(Duration.TryParse(text, out _));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(256L << 20, "256 MiB")]
    [InlineData(5L << 40, "5.0 TiB")]
    public void Sizes_are_shown(long bytes, string expected) => Assert.Equal(expected, ByteSize.Format(bytes));
}
