namespace Ramet.Cli.Input;

/// <summary>What the user gave cannot be used: exit code 2.</summary>
/// <param name="message">One line that says what to do.</param>
internal sealed class UsageException(string message) : Exception(message);
