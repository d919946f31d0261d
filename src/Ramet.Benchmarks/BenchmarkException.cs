namespace Ramet.Benchmarks;

/// <summary>A benchmark cannot be made, or something that it ran gave a wrong answer; the message is for the user.</summary>
/// <param name="message">What is wrong, and what to do.</param>
public sealed class BenchmarkException(string message) : Exception(message);
