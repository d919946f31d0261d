using System.Buffers.Binary;
using Ramet.Kernel.State;
using Xunit;

namespace Ramet.Kernel.Tests.State;

/// <summary>A snapshot may be damaged or hostile: the only thing that comes out is a StateFormatException, or objects.</summary>
public sealed class DamagedInputTests
{
    private static byte[] Sample() => StateSerializer.Save(RoundTripTests.MakeEverything(), SavedTypes.Instance);

    /// <summary>True when it was refused. Any other exception fails the test.</summary>
    private static bool IsRefused(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            StateSerializer.Load<Everything>(bytes, null, SavedTypes.Instance);
            return false;
        }
        catch (StateFormatException e)
        {
            Assert.NotEmpty(e.Message);
            return true;
        }
    }

    [Fact]
    public void Every_truncation_is_refused()
    {
        byte[] sample = Sample();
        Assert.False(IsRefused(sample));
        for (int length = 0; length < sample.Length; length++) Assert.True(IsRefused(sample.AsMemory(0, length)), $"length {length}");
    }

    [Fact]
    public void Bytes_after_the_end_are_refused() => Assert.True(IsRefused((byte[])[.. Sample(), 0]));

    [Fact]
    public void Every_changed_byte_is_refused_or_loads()
    {
        byte[] sample = Sample();
        int refused = 0;
        for (int i = 0; i < sample.Length; i++)
        {
            foreach (byte value in (byte[])[0, 1, 0x7F, 0x80, 0xFF, (byte)(sample[i] + 1), (byte)(sample[i] ^ 0x10)])
            {
                byte[] damaged = [.. sample];
                damaged[i] = value;
                if (IsRefused(damaged)) refused++;
            }
        }

        Assert.True(refused > 500, $"only {refused} were refused");
    }

    [Fact]
    public void Random_damage_is_refused_or_loads()
    {
        byte[] sample = Sample();
        var random = new Random(12345);
        int refused = 0;
        for (int round = 0; round < 20_000; round++)
        {
            byte[] damaged = [.. sample];
            int from = random.Next(4) == 0 ? 0 : 24;
            for (int n = random.Next(1, 6); n > 0; n--) damaged[random.Next(from, damaged.Length)] = (byte)random.Next(256);
            if (IsRefused(damaged)) refused++;
        }

        Assert.True(refused > 5_000, $"only {refused} were refused");
    }

    [Fact]
    public void Random_bytes_behind_a_right_header_are_refused()
    {
        byte[] header = Sample()[..24];
        var random = new Random(54321);
        byte[] noise = new byte[400];
        int refused = 0;
        for (int round = 0; round < 20_000; round++)
        {
            random.NextBytes(noise);
            byte[] bytes = [.. header, .. noise];
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(12), (uint)random.Next(1, 100));
            if (round % 2 == 0) bytes[24] = 1;
            if (IsRefused(bytes)) refused++;
        }

        Assert.Equal(20_000, refused);
    }

    [Fact]
    public void A_length_beyond_the_input_is_refused_before_anything_is_allocated()
    {
        var all = new Everything { IntList = [0x11223344, 0x55667788] };
        byte[] sample = StateSerializer.Save(all, SavedTypes.Instance);
        int length = sample.AsSpan().IndexOf(new byte[] { 0x44, 0x33, 0x22, 0x11 }) - 1;
        Assert.Equal(3, sample[length]);
        byte[] hostile = [.. sample[..length], 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, .. sample[(length + 1)..]];
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(IsRefused(hostile));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 100_000);
    }

    [Fact]
    public void An_object_count_beyond_the_input_is_refused()
    {
        byte[] sample = Sample();
        BinaryPrimitives.WriteUInt32LittleEndian(sample.AsSpan(12), uint.MaxValue);
        Assert.True(IsRefused(sample));
        BinaryPrimitives.WriteUInt32LittleEndian(sample.AsSpan(12), BinaryPrimitives.ReadUInt32LittleEndian(Sample().AsSpan(12)) + 1);
        Assert.True(IsRefused(sample));
    }

    [Fact]
    public void Another_schema_is_refused_with_advice()
    {
        byte[] sample = Sample();
        sample[16] ^= 1;
        var e = Assert.Throws<StateFormatException>(() => StateSerializer.Load<Everything>(sample, null, SavedTypes.Instance));
        Assert.Contains("another version of Ramet", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_root_than_expected_is_refused()
    {
        byte[] node = StateSerializer.Save(new Node(), SavedTypes.Instance);
        var e = Assert.Throws<StateFormatException>(() => StateSerializer.Load<Everything>(node, null, SavedTypes.Instance));
        Assert.Contains("Node", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reference_to_an_object_of_another_class_is_refused()
    {
        var list = new Node { Next = new Node() };
        byte[] sample = StateSerializer.Save(list, SavedTypes.Instance);
        byte[] circle = StateSerializer.Save(new Circle(), SavedTypes.Instance);
        // Header, then id 1 and tag of the root, then its reference to object 2 with its tag.
        // A tag is a varint: it is as long as its first byte without the top bit says.
        int tagLength = 1;
        while ((sample[24 + tagLength] & 0x80) != 0) tagLength++;
        Assert.Equal((1, 2), (sample[24], sample[25 + tagLength]));
        circle.AsSpan(25, tagLength).CopyTo(sample.AsSpan(26 + tagLength));
        var e = Assert.Throws<StateFormatException>(() => StateSerializer.Load<Node>(sample, null, SavedTypes.Instance));
        Assert.Contains("Circle", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_hook_that_fails_on_impossible_state_is_reported_as_damage()
    {
        byte[] sample = StateSerializer.Save(new Division { By = 0 }, SavedTypes.Instance);
        var e = Assert.Throws<StateFormatException>(() => StateSerializer.Load<Division>(sample, null, SavedTypes.Instance));
        Assert.Contains("Division", e.Message, StringComparison.Ordinal);
        Assert.IsType<DivideByZeroException>(e.InnerException);
        Assert.Equal(25, RoundTripTests.RoundTrip(new Division { By = 4 }).Result);
    }
}
