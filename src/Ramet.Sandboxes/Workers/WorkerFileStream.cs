namespace Ramet.Sandboxes.Workers;

/// <summary>A file of a sandbox in a worker, in one direction, piece by piece; nobody holds more than one. What is written has arrived after a flush or the end, which may say that it cannot.</summary>
internal sealed class WorkerFileStream(Func<string, LiveArguments, ReadOnlyMemory<byte>?, CancellationToken, Task<ReadOnlyMemory<byte>>> call, uint handle, long length, bool writes) : Stream
{
    /// <summary>Bytes that go at once: no more than arrays that the collector moves, and what a pipe holds.</summary>
    public const int Piece = 64 << 10;

    private ReadOnlyMemory<byte> _rest;
    private byte[]? _unsent;
    private int _unsentCount;
    private bool _ended;
    private int _closed;

    public override bool CanRead => !writes;

    public override bool CanSeek => false;

    public override bool CanWrite => writes;

    /// <summary>As it was when the file was opened.</summary>
    public override long Length => length;

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty || _ended) return 0;
        if (_rest.IsEmpty)
        {
            _rest = await call(LiveMethod.Read, new LiveArguments { Handle = handle, Number = Piece }, null, cancellationToken).ConfigureAwait(false);
            _ended = _rest.IsEmpty;
        }

        int count = Math.Min(buffer.Length, _rest.Length);
        _rest[..count].CopyTo(buffer);
        _rest = _rest[count..];
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer, offset, count, CancellationToken.None).GetAwaiter().GetResult();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            if (_unsentCount == 0 && buffer.Length >= Piece)
            {
                await SendAsync(buffer[..Piece], cancellationToken).ConfigureAwait(false);
                buffer = buffer[Piece..];
                continue;
            }

            // Bodies of requests come in small parts, and each call costs a way there and back.
            _unsent ??= new byte[Piece];
            int count = Math.Min(buffer.Length, Piece - _unsentCount);
            buffer[..count].CopyTo(_unsent.AsMemory(_unsentCount));
            _unsentCount += count;
            buffer = buffer[count..];
            if (_unsentCount == Piece) await FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer, offset, count, CancellationToken.None).GetAwaiter().GetResult();

    public override void Flush() => FlushAsync(CancellationToken.None).GetAwaiter().GetResult();

    public override Task FlushAsync(CancellationToken cancellationToken)
    {
        if (_unsentCount == 0) return Task.CompletedTask;
        var piece = _unsent.AsMemory(0, _unsentCount);
        _unsentCount = 0;
        return SendAsync(piece, cancellationToken);
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        await CloseAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) CloseAsync().GetAwaiter().GetResult();
        base.Dispose(disposing);
    }

    private async Task CloseAsync()
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0) return;
        try
        {
            await FlushAsync(CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            await ReleaseAsync().ConfigureAwait(false);
        }
    }

    private Task SendAsync(ReadOnlyMemory<byte> piece, CancellationToken cancellationToken) => call(LiveMethod.Write, new LiveArguments { Handle = handle }, piece, cancellationToken);

    private async Task ReleaseAsync()
    {
        try
        {
            await call(LiveMethod.Close, new LiveArguments { Handle = handle }, null, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SandboxException)
        {
            // The worker has ended, and its open files with it.
        }
    }
}
