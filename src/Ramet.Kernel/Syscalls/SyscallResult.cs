namespace Ramet.Kernel.Syscalls;

/// <summary>
/// What a system call handler returns: a value, an errno, or one of the outcomes in which no value goes to RAX now.
/// </summary>
public readonly struct SyscallResult : IEquatable<SyscallResult>
{
    private enum Outcome : byte
    {
        Value,
        Blocked,
        NoReturn,
    }

    private readonly Outcome _outcome;

    private SyscallResult(long value, Outcome outcome = Outcome.Value)
    {
        Value = value;
        _outcome = outcome;
    }

    /// <summary>
    /// The thread waits on the queues and the deadline that it has registered; the handler runs again from the start when it
    /// is woken. Made by <c>PosixThread.Block</c> only.
    /// </summary>
    internal static SyscallResult Blocked => new(0, Outcome.Blocked);

    /// <summary>The handler has set the registers itself (execve, rt_sigreturn), or the thread is gone (exit).</summary>
    public static SyscallResult NoReturn => new(0, Outcome.NoReturn);

    /// <summary>The value for RAX: a result, or a negated errno. Codes -512 to -516 ask for a restart and never reach the program.</summary>
    public long Value { get; }

    /// <summary>Whether the thread has blocked.</summary>
    public bool IsBlocked => _outcome == Outcome.Blocked;

    /// <summary>Whether RAX is left alone.</summary>
    public bool IsNoReturn => _outcome == Outcome.NoReturn;

    /// <summary>Whether this is a value in the errno range.</summary>
    public bool IsError => _outcome == Outcome.Value && Value is < 0 and >= -4095;

    /// <summary>The errno, or <see cref="Errno.None"/>.</summary>
    public Errno Error => IsError ? (Errno)(-Value) : Errno.None;

    /// <summary>A result value.</summary>
    public static implicit operator SyscallResult(long value) => new(value);

    /// <summary>A result value.</summary>
    public static implicit operator SyscallResult(int value) => new(value);

    /// <summary>An error; <see cref="Errno.None"/> is 0, success.</summary>
    public static implicit operator SyscallResult(Errno error) => new(-(long)error);

    /// <summary>A code that asks for the call to be restarted once signals have been dealt with.</summary>
    public static SyscallResult Restart(RestartKind kind) => new(-(long)kind);

    /// <inheritdoc/>
    public bool Equals(SyscallResult other) => Value == other.Value && _outcome == other._outcome;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is SyscallResult other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Value, _outcome);

    /// <summary>Equality of outcome and value.</summary>
    public static bool operator ==(SyscallResult left, SyscallResult right) => left.Equals(right);

    /// <summary>Inequality.</summary>
    public static bool operator !=(SyscallResult left, SyscallResult right) => !left.Equals(right);
}

/// <summary>What becomes of a blocked call when a signal arrives; values are Linux's own (include/linux/errno.h).</summary>
public enum RestartKind
{
    /// <summary>Restarted when no handler runs or the handler has SA_RESTART, else EINTR: read, write, wait4, ...</summary>
    ERESTARTSYS = 512,

    /// <summary>Always restarted.</summary>
    ERESTARTNOINTR = 513,

    /// <summary>Restarted only when no handler runs, else EINTR: poll, select, sigsuspend, epoll_wait, ...</summary>
    ERESTARTNOHAND = 514,

    /// <summary>As <see cref="ERESTARTNOHAND"/>, and the restarted call keeps its deadline: nanosleep, futex with a timeout, ...</summary>
    ERESTART_RESTARTBLOCK = 516,
}
