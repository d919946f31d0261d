namespace Ramet.Server.Configuration;

/// <summary>A setting cannot be used.</summary>
/// <param name="message">Where it is, what is wrong with it, and what would be right.</param>
public sealed class ConfigurationException(string message) : Exception(message);
