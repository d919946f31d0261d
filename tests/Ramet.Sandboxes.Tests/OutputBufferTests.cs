using System.Text;
using Ramet.Kernel.Files;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Tests;

/// <summary>Output between a program and those who look at it.</summary>
public sealed class OutputBufferTests
{
    private const int Limit = 1 << 20;

    [Fact]
    public void Single_bytes_that_nobody_reads_are_kept_up_to_the_limit_in_few_pieces()
    {
        var buffer = new OutputBuffer(Limit, _ => { });
        byte[] all = [.. Enumerable.Range(0, 2 * Limit).Select(i => (byte)(i >> 10))];
        foreach (byte one in all)
        {
            if (buffer.Write(1, HostedEventKind.Stdout, [one]) != OutputSinkResult.Accepted) Assert.Fail("It is full though nobody reads.");
        }

        byte[] kept = buffer.Snapshot();
        Assert.InRange(kept.Length, Limit * 9 / 10, Limit);
        Assert.True(all.AsSpan(all.Length - kept.Length).SequenceEqual(kept));
        using var reader = buffer.Open(fromStart: true);
        Assert.InRange(Drain(reader).Count, 1, 1000);
    }

    [Fact]
    public void Pieces_that_cannot_be_joined_count_for_what_they_take()
    {
        var buffer = new OutputBuffer(Limit, _ => { });
        for (int i = 0; i < Limit; i++) buffer.Write(1, i % 2 == 0 ? HostedEventKind.Stdout : HostedEventKind.Stderr, "x"u8);
        using var reader = buffer.Open(fromStart: true);
        Assert.InRange(Drain(reader).Count, 1000, Limit / 64);
    }

    [Fact]
    public void One_who_keeps_up_gets_each_piece_as_it_comes()
    {
        var buffer = new OutputBuffer(Limit, _ => { });
        buffer.Write(1, HostedEventKind.Stdout, "before "u8);
        using var reader = buffer.Open(fromStart: false);
        Assert.Null(reader.TryRead());
        foreach (string piece in (string[])["a", "b", "c"])
        {
            buffer.Write(1, HostedEventKind.Stdout, Encoding.ASCII.GetBytes(piece));
            buffer.Write(1, HostedEventKind.Stdout, Encoding.ASCII.GetBytes(piece + piece));
            Assert.Equal([piece, piece + piece], Drain(reader));
        }

        Assert.Equal("before aaabbbccc", Encoding.ASCII.GetString(buffer.Snapshot()));
    }

    [Fact]
    public void What_a_reader_has_had_does_not_change_when_more_is_joined_to_it()
    {
        var buffer = new OutputBuffer(Limit, _ => { });
        buffer.Write(1, HostedEventKind.Stdout, "one "u8);
        HostedEvent had;
        using (var reader = buffer.Open(fromStart: true)) had = reader.TryRead()!;
        buffer.Write(1, HostedEventKind.Stdout, "two "u8);
        buffer.Write(1, HostedEventKind.Stdout, "three"u8);
        Assert.Equal("one ", Encoding.ASCII.GetString(had.Data.Span));
        using var later = buffer.Open(fromStart: true);
        Assert.Equal(["one two three"], Drain(later));
    }

    [Fact]
    public void A_reader_who_lags_holds_the_program_up_and_misses_nothing()
    {
        var woken = new List<int>();
        var buffer = new OutputBuffer(Limit, woken.Add);
        using var reader = buffer.Open(fromStart: true);
        var written = new StringBuilder();
        int count = 0;
        while (buffer.Write(1, HostedEventKind.Stdout, Encoding.ASCII.GetBytes($"{count} ")) == OutputSinkResult.Accepted) written.Append(count++).Append(' ');
        Assert.InRange(written.Length, Limit / 2, Limit);
        Assert.Empty(woken);
        var read = Drain(reader);
        Assert.InRange(read.Count, 64, 1000);
        Assert.Equal(written.ToString(), string.Concat(read));
        Assert.Equal([1], woken);
        Assert.Equal(OutputSinkResult.Accepted, buffer.Write(1, HostedEventKind.Stdout, "more"u8));
        Assert.Equal(["more"], Drain(reader));
    }

    [Fact]
    public void Two_readers_at_different_places_see_the_same()
    {
        var buffer = new OutputBuffer(Limit, _ => { });
        using var slow = buffer.Open(fromStart: true);
        using var fast = buffer.Open(fromStart: true);
        var seen = new StringBuilder();
        for (int i = 0; i < 500; i++)
        {
            buffer.Write(1, HostedEventKind.Stdout, Encoding.ASCII.GetBytes($"{i} "));
            if (i % 3 == 0) seen.AppendJoin("", Drain(fast));
        }

        seen.AppendJoin("", Drain(fast));
        Assert.Equal(seen.ToString(), string.Concat(Drain(slow)));
        Assert.Equal(string.Concat(Enumerable.Range(0, 500).Select(i => $"{i} ")), seen.ToString());
    }

    private static List<string> Drain(OutputBuffer.Reader reader)
    {
        var pieces = new List<string>();
        while (reader.TryRead() is { } next) pieces.Add(Encoding.ASCII.GetString(next.Data.Span));
        return pieces;
    }
}
