namespace Ramet.Images.Archives;

/// <summary>The next bytes of a stream, as a stream. Does not dispose what it reads from.</summary>
internal sealed class BoundedStream(Stream source, long length) : Stream
{
    private long _left = length;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length { get; } = length;

    public override long Position
    {
        get => Length - _left;
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        if (_left == 0 || buffer.Length == 0) return 0;
        var count = source.Read(buffer[..(int)Math.Min(buffer.Length, _left)]);
        if (count == 0) throw new EndOfStreamException("The data end early.");
        _left -= count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <summary>Reads to the end.</summary>
    public void Skip()
    {
        Span<byte> buffer = stackalloc byte[8192];
        while (Read(buffer) > 0)
        {
        }
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
