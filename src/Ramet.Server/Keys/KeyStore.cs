using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Ramet.Host;

namespace Ramet.Server.Keys;

/// <summary>The file of keys cannot be used: nobody is let in.</summary>
/// <param name="message">Why, and what to do.</param>
public sealed class KeyFileException(string message) : Exception(message);

/// <summary>Keys in a file that only its owner can read. Every change writes a new file and moves it into place.</summary>
/// <param name="path">The file.</param>
public sealed class KeyStore(string path)
{
    /// <summary>What every key begins with.</summary>
    public const string Prefix = "rmt_live_";

    private const int SecretLength = 40;
    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    /// <summary>The file.</summary>
    public string Path => path;

    /// <summary>Makes a key. What is returned is the only copy of it.</summary>
    /// <param name="name">What it is for.</param>
    /// <param name="scopes">What it allows.</param>
    /// <param name="expires">From when on it is refused; null: never.</param>
    /// <exception cref="KeyFileException">The file is damaged or cannot be written.</exception>
    public (ApiKey Key, string Secret) Create(string? name, IReadOnlyList<string> scopes, DateTimeOffset? expires)
    {
        string secret = Prefix + RandomNumberGenerator.GetString(Alphabet, SecretLength);
        var key = new ApiKey
        {
            Id = "key_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6)),
            Name = name,
            Hash = HashOf(secret),
            Scopes = scopes,
            Created = TimeProvider.System.GetUtcNow(),
            Expires = expires,
        };
        Change(keys => [.. keys, key]);
        return (key, secret);
    }

    /// <summary>All keys, also those that are not accepted any more.</summary>
    /// <exception cref="KeyFileException">The file is damaged or cannot be read.</exception>
    public IReadOnlyList<ApiKey> List() => File.Exists(path) ? Read() : [];

    /// <summary>Revokes a key by its id or name. Null: there is none.</summary>
    /// <exception cref="KeyFileException">The file is damaged or cannot be written.</exception>
    public ApiKey? Revoke(string idOrName)
    {
        ApiKey? found = null;
        Change(keys =>
        {
            found = keys.FirstOrDefault(key => key.Id == idOrName) ?? keys.FirstOrDefault(key => key.Name == idOrName && key.Revoked is null);
            return found is null || found.Revoked is not null ? keys : [.. keys.Select(key => key == found ? key with { Revoked = TimeProvider.System.GetUtcNow() } : key)];
        });
        return found;
    }

    /// <summary>The hash that is stored of a key.</summary>
    internal static string HashOf(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));

    /// <summary>Reads the file.</summary>
    /// <exception cref="KeyFileException">It is not there, is damaged, or cannot be read.</exception>
    internal IReadOnlyList<ApiKey> Read()
    {
        try
        {
            var file = JsonSerializer.Deserialize(File.ReadAllBytes(path), KeyJson.Default.KeyFile);
            if (file is not { Version: 1 }) throw new KeyFileException($"{path} is of a version that this Ramet does not know.");
            if (file.Keys.Any(key => key is null || key.Hash.Length != 64 || !key.Hash.All(char.IsAsciiHexDigit))) throw new KeyFileException($"{path} is damaged: a key has no proper hash.");
            return file.Keys;
        }
        catch (JsonException e)
        {
            throw new KeyFileException($"{path} is damaged: {e.Message} Repair it, or remove it and make new keys with: ramet key create");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException($"{path} cannot be read: {e.Message}");
        }
    }

    private void Change(Func<IReadOnlyList<ApiKey>, IReadOnlyList<ApiKey>> change)
    {
        string directory = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        try
        {
            Directory.CreateDirectory(directory);
            using var held = Acquire(path + ".lock");
            var keys = List();
            var changed = change(keys);
            if (ReferenceEquals(changed, keys)) return;
            byte[] content = JsonSerializer.SerializeToUtf8Bytes(new KeyFile { Version = 1, Keys = changed }, KeyJson.Default.KeyFile);
            WholeFile.Write(path, UnixFileMode.UserRead | UnixFileMode.UserWrite, file => file.WriteAll(content));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or HostException)
        {
            throw new KeyFileException($"{path} cannot be written: {e.Message}");
        }
    }

    /// <summary>One change at a time, also among processes: the lock goes when the process does.</summary>
    private static FileStream Acquire(string lockPath)
    {
        for (int tries = 0; ; tries++)
        {
            try
            {
                return new FileStream(lockPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (tries < 200)
            {
                Thread.Sleep(10);
            }
        }
    }
}
