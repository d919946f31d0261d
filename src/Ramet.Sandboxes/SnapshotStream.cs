using Ramet.Host;

namespace Ramet.Sandboxes;

/// <summary>A snapshot as the bytes of the file that it would be saved to; they are read where they are.</summary>
internal sealed class SnapshotStream : Stream
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

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

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

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Read(buffer.Span));
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

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
