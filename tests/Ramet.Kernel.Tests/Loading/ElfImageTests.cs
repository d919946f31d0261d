using Ramet.Abi;
using Ramet.Kernel.Loading;
using Xunit;

namespace Ramet.Kernel.Tests.Loading;

public class ElfImageTests
{
    private static readonly byte[] True = File.ReadAllBytes("/bin/true");

    [Fact]
    public void A_position_independent_program_names_its_interpreter()
    {
        Assert.Equal(Errno.None, ElfImage.Parse(new FakeFile(True), out var image, out _));
        Assert.Equal(ElfType.ET_DYN, image!.Type);
        Assert.Equal("/lib64/ld-linux-x86-64.so.2", image.Interpreter);
        Assert.Equal(64UL, image.ProgramHeaderAddress);
        Assert.False(image.ExecutableStack);
        Assert.Contains(image.Segments, segment => segment.Protection == (SegmentProtection.Read | SegmentProtection.Execute));
    }

    [Theory]
    [InlineData(4, 1, "32-bit ELF for x86-64")]
    [InlineData(18, 183, "ELF for AArch64")]
    [InlineData(18, 3, "ELF for x86 (i386)")]
    [InlineData(5, 2, "big-endian ELF")]
    [InlineData(16, 1, "object file")]
    [InlineData(16, 4, "core dump")]
    [InlineData(0, 0, "not an ELF executable")]
    [InlineData(54, 55, "program headers of 55 bytes")]
    [InlineData(56, 0, "with 0 program headers")]
    public void A_foreign_or_damaged_header_is_refused_with_its_reason(int offset, byte value, string reason)
    {
        byte[] bytes = [.. True];
        bytes[offset] = value;
        Assert.Equal(Errno.ENOEXEC, ElfImage.Parse(new FakeFile(bytes), out var image, out string why));
        Assert.Null(image);
        Assert.Contains(reason, why, StringComparison.Ordinal);
    }

    [Fact]
    public void A_truncated_file_is_refused_wherever_it_ends()
    {
        ElfImage.Parse(new FakeFile(True), out var whole, out _);
        int needed = (int)whole!.Segments.Max(segment => (ulong)segment.Offset + segment.FileSize);
        for (int length = 0; length < needed; length += length < 2000 ? 1 : 501)
        {
            Assert.Equal(Errno.ENOEXEC, ElfImage.Parse(new FakeFile(True[..length]), out _, out string reason));
            Assert.Contains(length < 4 ? "not an ELF" : "truncated", reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Damaged_headers_are_refused_or_loaded_within_bounds_but_never_throw()
    {
        var random = new Random(1);
        int refused = 0;
        int loaded = 0;
        byte[] interesting = [0, 1, 0x7f, 0x80, 0xff];
        for (int round = 0; round < 20000; round++)
        {
            byte[] bytes = True[..];
            int headers = 64 + (56 * 13);
            for (int change = random.Next(1, 6); change > 0; change--)
                bytes[random.Next(4, headers)] = random.Next(2) == 0 ? (byte)random.Next(256) : interesting[random.Next(interesting.Length)];
            var arguments = new ProgramArguments(["x"], [], "/x");
            if (ProgramLoader.Prepare(new FakeFile(bytes), arguments, new FakeOpener(), 8 << 20, out var plan, out string reason) != Errno.None)
            {
                Assert.NotEmpty(reason);
                refused++;
                continue;
            }

            // The fake mapper asserts that every range is within user memory.
            if (plan!.Program.Span < 16 << 20 && ProgramLoader.Load(plan, default, new FakeRandom(round), true, 256 << 10, new FakeMapper(), out _) == Errno.None)
                loaded++;
            if (round > 2000 && loaded > 100) break;
        }

        Assert.InRange(refused, 100, 20000);
        Assert.InRange(loaded, 100, 20000);
    }
}
