namespace Ramet.Cli.Input;

/// <summary>Where images and templates are kept.</summary>
internal static class DataDirectory
{
    /// <summary>--data-dir, else RAMET_DATA_DIR, else $XDG_DATA_HOME/ramet, else ~/.local/share/ramet (XDG Base Directory Specification: relative paths in it are ignored).</summary>
    /// <exception cref="UsageException">None of them is there.</exception>
    public static string Resolve(string? option)
    {
        if (option is not null) return option.Length > 0 ? Path.GetFullPath(option) : throw new UsageException("--data-dir is empty: name a directory.");
        if (Environment.GetEnvironmentVariable("RAMET_DATA_DIR") is { Length: > 0 } own) return Path.GetFullPath(own);
        if (Environment.GetEnvironmentVariable("XDG_DATA_HOME") is ['/', ..] xdg) return Path.Combine(xdg, "ramet");
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return home.StartsWith('/') ? Path.Combine(home, ".local", "share", "ramet")
            : throw new UsageException("there is no home directory to keep images in: name a data directory with --data-dir or RAMET_DATA_DIR.");
    }
}
