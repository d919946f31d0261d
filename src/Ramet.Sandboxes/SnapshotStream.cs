using Ramet.Host;
using Ramet.Sandboxes.Hosting;

namespace Ramet.Sandboxes;

/// <summary>A snapshot as the bytes of the file that it would be saved to; they are read where they are.</summary>
internal sealed class SnapshotStream : SimpleStream
{
    private readonly SandboxSnapshot _snapshot;
    private readonly MappedFile _pages;
    private readonly byte[] _head;
    private long _position;

    public SnapshotStream(SavedSandbox description, SandboxSnapshot snapshot)
    {
        _snapshot = snapshot.AddUser();
        _pages = new MappedFile(snapshot.Memory.File, isSealed: true);
        _head = SavedSandboxFile.MakeHead(description, _pages, snapshot.State.Span);
    }

    public override long Length => _head.Length + _pages.Length;

    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        var source = _position < _head.Length
            ? _head.AsSpan((int)_position, (int)Math.Min(buffer.Length, _head.Length - _position))
            : _pages.GetSpan(_position - _head.Length, (int)Math.Min(buffer.Length, Length - _position));
        source.CopyTo(buffer);
        _position += source.Length;
        return source.Length;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _pages.Dispose();
            _snapshot.Dispose();
        }

        base.Dispose(disposing);
    }
}
