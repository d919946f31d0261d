using System.CommandLine;
using System.Globalization;
using Ramet.Cli.Input;
using Ramet.Cli.Output;
using Ramet.Images.Specs;
using Ramet.Server.Configuration;
using Ramet.Server.Keys;

namespace Ramet.Cli.Commands;

/// <summary><c>ramet key</c>: who may use the server.</summary>
internal static class KeyCommands
{
    /// <summary>Defines the commands.</summary>
    public static Command Create()
    {
        var group = new TaughtCommand("key", "Keys: who may use the server. Only a hash of each is stored.")
        {
            Examples =
            [
                ("ramet key create --name agent --expires 90d", "Makes a key and prints it, once."),
                ("ramet key ls", "Keys that there are."),
                ("ramet key revoke agent", "Ends a key; a running server refuses it within a second."),
            ],
        };
        var file = new Option<string?>("--keys-file") { Description = "The file of keys. Else RAMET_KEYS_FILE, ~/.config/ramet/keys.json.", HelpName = "FILE", Recursive = true };
        group.Options.Add(file);
        group.Subcommands.Add(Create(file));
        group.Subcommands.Add(List(file));
        group.Subcommands.Add(Revoke(file));
        return group;
    }

    private static Command Create(Option<string?> file)
    {
        var name = new Option<string?>("--name") { Description = "What the key is for.", HelpName = "NAME" };
        var scopes = new Option<string?>("--scopes") { Description = $"What it allows, separated by commas. Default: {string.Join(',', Scope.All)}.", HelpName = "SCOPES" };
        var expires = new Option<string?>("--expires") { Description = "After how long it is refused, such as 12h or 90d. Default: never.", HelpName = "TIME" };
        var command = new TaughtCommand("create", "Makes a key and prints it. It cannot be shown again.") { Examples = [("KEY=$(ramet key create --name ci --scopes exec)", "The key alone goes to stdout.")] };
        foreach (var option in (Option[])[name, scopes, expires]) command.Options.Add(option);
        command.SetAction(parse => Guard(() =>
        {
            var store = Open(parse.GetValue(file));
            DateTimeOffset? end = parse.GetValue(expires) is { } time ? TimeProvider.System.GetUtcNow() + ParseTime(time) : null;
            var (key, secret) = store.Create(parse.GetValue(name), ParseScopes(parse.GetValue(scopes)), end);
            StandardStream.Write(1, secret + "\n");
            Message.Write($"key {key.Id} is stored in {store.Path} as a hash; what is printed is the only copy of the key itself.");
        }));
        return command;
    }

    private static Command List(Option<string?> file)
    {
        var command = new TaughtCommand("ls", "Lists keys.");
        command.SetAction(parse => Guard(() =>
        {
            var now = TimeProvider.System.GetUtcNow();
            List<string[]> rows = [["ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "STATE"]];
            rows.AddRange(Open(parse.GetValue(file)).List().Select(key => (string[])
            [
                key.Id, key.Name ?? "-", string.Join(',', key.Scopes), Date(key.Created), key.Expires is { } end ? Date(end) : "never",
                key.Revoked is not null ? "revoked" : key.IsValidAt(now) ? "valid" : "expired",
            ]));
            StandardStream.Write(1, Table.Format(rows));
        }));
        return command;
    }

    private static Command Revoke(Option<string?> file)
    {
        var key = new Argument<string>("KEY") { Description = "Id or name of the key." };
        var command = new TaughtCommand("revoke", "Revokes a key. A running server refuses it within a second.");
        command.Arguments.Add(key);
        command.SetAction(parse => Guard(() =>
        {
            string wanted = parse.GetValue(key)!;
            var store = Open(parse.GetValue(file));
            var revoked = store.Revoke(wanted) ?? throw new UsageException(
                $"no key '{wanted}'.{NearestName.Suggest(wanted, store.List().SelectMany(known => (string[])[known.Id, known.Name ?? known.Id]))} See: ramet key ls");
            Message.Write($"key {revoked.Id} is revoked.");
        }));
        return command;
    }

    private static int Guard(Action action)
    {
        try
        {
            action();
            return 0;
        }
        catch (KeyFileException e)
        {
            Message.Write(e.Message);
            return CommandLine.Failure;
        }
    }

    private static KeyStore Open(string? file) =>
        new(file ?? (Environment.GetEnvironmentVariable("RAMET_KEYS_FILE") is { Length: > 0 } path ? path : new ServerSettings().KeysPath));

    private static string[] ParseScopes(string? text)
    {
        if (text is null) return [.. Scope.All];
        string[] scopes = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (scopes.Length == 0) throw new UsageException($"--scopes is empty: name some of {string.Join(", ", Scope.All)}.");
        foreach (string scope in scopes)
        {
            if (!Scope.All.Contains(scope, StringComparer.Ordinal)) throw new UsageException($"no scope '{scope}'.{NearestName.Suggest(scope, Scope.All)} Scopes: {string.Join(", ", Scope.All)}.");
        }

        return scopes;
    }

    private static TimeSpan ParseTime(string text)
    {
        if (text.EndsWith('d') && double.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double days) && days is > 0 and < 36500)
            return TimeSpan.FromDays(days);
        if (Duration.TryParse(text, out var duration) && duration > TimeSpan.Zero) return duration;
        throw new UsageException($"'{text}' is not a time for --expires: write 30m, 12h or 90d.");
    }

    private static string Date(DateTimeOffset time) => time.ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
}
