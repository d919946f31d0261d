using System.Reflection;

namespace Ramet.Server;

/// <summary>The version of this server.</summary>
internal static class ServerVersion
{
    /// <summary>Such as 0.1.0.</summary>
    public static string Text { get; } = typeof(ServerVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}
