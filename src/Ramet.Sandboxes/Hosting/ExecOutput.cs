using System.Threading.Channels;

namespace Ramet.Sandboxes.Hosting;

/// <summary>Output on its way from a program to somebody who reads it as it comes. A few pieces may wait; then the program does.</summary>
internal sealed class ExecOutput(CancellationToken cancellationToken) : IOutputReceiver
{
    private readonly Channel<HostedEvent> _pieces = Channel.CreateBounded<HostedEvent>(new BoundedChannelOptions(16) { SingleReader = true, SingleWriter = true });

    /// <inheritdoc/>
    public void Write(int stream, ReadOnlySpan<byte> bytes)
    {
        var piece = new HostedEvent(stream == 2 ? HostedEventKind.Stderr : HostedEventKind.Stdout, bytes.ToArray());
        try
        {
            if (!_pieces.Writer.TryWrite(piece)) _pieces.Writer.WriteAsync(piece, cancellationToken).AsTask().GetAwaiter().GetResult();
        }
        catch (Exception exception) when (exception is OperationCanceledException or ChannelClosedException)
        {
            throw new IOException("Nobody reads any more.", exception);
        }
    }

    /// <summary>Nothing more comes.</summary>
    public void Complete() => _pieces.Writer.TryComplete();

    /// <summary>What comes.</summary>
    public IAsyncEnumerable<HostedEvent> ReadAllAsync(CancellationToken token) => _pieces.Reader.ReadAllAsync(token);
}
