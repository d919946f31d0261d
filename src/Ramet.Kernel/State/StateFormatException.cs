namespace Ramet.Kernel.State;

/// <summary>The bytes of a snapshot are damaged, or were written by another version of Ramet. The message says where and what.</summary>
public sealed class StateFormatException : Exception
{
    /// <summary>With a message.</summary>
    public StateFormatException(string message)
        : base(message)
    {
    }

    /// <summary>With a message and a cause.</summary>
    public StateFormatException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
