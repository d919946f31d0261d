using Ramet.Host;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes.Workers;

/// <summary>Bytes that arrive piece by piece, in a memory file rather than on the managed heap; to be read from the start when all are there.</summary>
internal sealed class MemoryFileStream : SimpleStream
{
    private readonly FileDescriptor _file = MemoryFile.Create("ramet-received");
    private long _length;

    /// <summary>Its descriptor.</summary>
    public int Number => _file.Number;

    /// <summary>Somebody else has written to it.</summary>
    public void MeasureAgain() => _length = _file.GetLength();

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

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _file.WriteAllAt(buffer, _length);
        _length += buffer.Length;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _file.Dispose();
        base.Dispose(disposing);
    }
}
