namespace Ramet.Sandboxes.Workers;

/// <summary>What a frame is.</summary>
internal enum FrameKind : byte
{
    /// <summary>To the worker: do something.</summary>
    Call = 1,

    /// <summary>To the worker: the caller does not want it any more.</summary>
    Cancel = 2,

    /// <summary>From the worker: it is done.</summary>
    Result = 3,

    /// <summary>From the worker: it cannot be done.</summary>
    Error = 4,

    /// <summary>From the worker: a piece of what comes bit by bit; <see cref="Result"/> or <see cref="Error"/> ends it.</summary>
    Event = 5,

    /// <summary>To the worker: so many bytes of events were taken by the caller (JSON holds a number of 4 bytes). See <see cref="FlowWindow"/>.</summary>
    Credit = 6,
}

/// <summary>One message between a server and a worker.</summary>
/// <param name="Call">Which call it belongs to; chosen by the server.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Method">What to do, for a call.</param>
/// <param name="Json">Arguments or result.</param>
/// <param name="Blobs">Bytes that go with it: code's input, files, output.</param>
internal sealed record Frame(uint Call, FrameKind Kind, string Method, ReadOnlyMemory<byte> Json, IReadOnlyList<ReadOnlyMemory<byte>> Blobs);

/// <summary>The other side sends what it must not.</summary>
/// <param name="message">What is wrong.</param>
internal sealed class FrameException(string message) : IOException(message);
