using Ramet.Host;

namespace Ramet.Sandboxes.Workers;

/// <summary>Bytes that arrive piece by piece, in a memory file rather than on the managed heap; to be read from the start when all are there.</summary>
internal sealed class MemoryFileStream : Stream
{
    private readonly FileDescriptor _file = MemoryFile.Create("ramet-received");
    private long _length;

    /// <summary>Its descriptor.</summary>
    public int Number => _file.Number;

    /// <summary>Somebody else has written to it.</summary>
    public void MeasureAgain() => _length = _file.GetLength();

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _length;

    public override long Position { get; set; }

    public override int Read(Span<byte> buffer)
    {
        buffer = buffer[..(int)Math.Min(buffer.Length, _length - Position)];
        if (buffer.IsEmpty) return 0;
        _file.ReadExactlyAt(buffer, Position);
        Position += buffer.Length;
        return buffer.Length;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(Read(buffer.Span));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _file.WriteAllAt(buffer, _length);
        _length += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) _file.Dispose();
        base.Dispose(disposing);
    }
}
