using Ramet.Sandboxes.Hosting;

namespace Ramet.Server.Api;

/// <summary>A stream of exactly so many bytes: what is beyond is not shown, what is missing is zeros. It says that it can seek, since that is how tar asks for its length.</summary>
internal sealed class ExactStream(Stream inner, long length) : SimpleStream
{
    private long _position;

    public override bool CanSeek => true;

    public override long Length => length;

    public override long Position
    {
        get => _position;
        set
        {
            if (value != _position) throw new NotSupportedException();
        }
    }

    public override int Read(Span<byte> buffer)
    {
        buffer = buffer[..(int)Math.Min(buffer.Length, length - _position)];
        if (buffer.IsEmpty) return 0;
        int count = inner.Read(buffer);
        if (count == 0)
        {
            buffer.Clear();
            count = buffer.Length;
        }

        _position += count;
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }
}
