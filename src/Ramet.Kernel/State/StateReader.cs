namespace Ramet.Kernel.State;

/// <summary>Reads a snapshot's compact form. (Being written.)</summary>
public sealed class StateReader;

public sealed class StateFormatException(string message) : Exception(message);
