using Ramet.Kernel.Processes;

namespace Ramet.Kernel.Files;

/// <summary>Sets of poll events that go together (fs/select.c).</summary>
internal static class Readiness
{
    /// <summary>There is something to read.</summary>
    public const PollEvents In = PollEvents.POLLIN | PollEvents.POLLRDNORM;

    /// <summary>There is room to write.</summary>
    public const PollEvents Out = PollEvents.POLLOUT | PollEvents.POLLWRNORM;

    /// <summary>Reported whether asked for or not.</summary>
    public const PollEvents Always = PollEvents.POLLERR | PollEvents.POLLHUP;
}
