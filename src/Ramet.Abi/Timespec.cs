using System.Runtime.InteropServices;

namespace Ramet.Abi;

/// <summary>struct timespec.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Timespec
{
    public long tv_sec;
    public long tv_nsec;
}

/// <summary>struct timeval.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Timeval
{
    public long tv_sec;
    public long tv_usec;
}

/// <summary>struct itimerspec.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ITimerspec
{
    public Timespec it_interval;
    public Timespec it_value;
}
