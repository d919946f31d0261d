namespace Ramet.Kernel.Files;

/// <summary>What becomes of output that a program writes.</summary>
public enum OutputSinkResult
{
    /// <summary>All bytes were taken.</summary>
    Accepted,

    /// <summary>None was taken, and none will be until <see cref="Kernel.OnHostStreamDrained"/>: the program waits.</summary>
    Full,

    /// <summary>Nobody reads any more (also: the output limit is reached): the program gets SIGPIPE and EPIPE.</summary>
    Closed,
}

/// <summary>Where the output of a sandbox goes. Not part of a snapshot: each fork is given its own.</summary>
public interface IOutputSink
{
    /// <summary>Takes all of the bytes or none. Called under the kernel lock: it must not block and must not call the kernel.</summary>
    /// <param name="stream">The stream's number: 1 for stdout, 2 for stderr, others as they were made.</param>
    /// <param name="bytes">At most 64 KiB, valid during the call only.</param>
    OutputSinkResult Write(int stream, ReadOnlySpan<byte> bytes);
}

/// <summary>Where a runner's replies go. Not part of a snapshot: each fork is given its own.</summary>
public interface IRunnerSink
{
    /// <summary>The runner wrote a reply. Called under the kernel lock: it must not block and must not call the kernel.</summary>
    /// <param name="reply">The whole message, valid during the call only.</param>
    void OnReply(ReadOnlySpan<byte> reply);

    /// <summary>The runner is about to wait for a request, and there is none: the moment to freeze a template, or to end a run. Same rules as above.</summary>
    void OnIdle();
}
