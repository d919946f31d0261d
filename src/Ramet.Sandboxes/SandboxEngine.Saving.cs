using Ramet.Host;
using Ramet.Images;
using Ramet.Kernel.State;

namespace Ramet.Sandboxes;

/// <summary>Sandboxes on disk.</summary>
public sealed partial class SandboxEngine
{
    /// <summary>Writes a snapshot to a file, durably. The path holds either what it held before or all of the new snapshot, whatever happens.</summary>
    /// <exception cref="SandboxException">The file cannot be written.</exception>
    public void Save(SandboxSnapshot snapshot, string path)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        try
        {
            SavedSandboxFile.Write(path, Describe(snapshot), snapshot.Memory, snapshot.State);
        }
        catch (Exception exception) when (exception is HostException or IOException or UnauthorizedAccessException)
        {
            throw new SandboxException($"The sandbox could not be saved to {path}: {exception.Message} Free some space, or choose another place.");
        }
    }

    /// <summary>What is to be known of a snapshot before it is loaded.</summary>
    internal SavedSandbox Describe(SandboxSnapshot snapshot)
    {
        var cpu = Kvm.CpuIdentification.Get(Device);
        return new SavedSandbox
        {
            Schema = SavedTypes.Instance.SchemaHash,
            Created = TimeProvider.System.GetUtcNow(),
            Template = snapshot.Template?.Manifest.Name,
            TemplateId = snapshot.Template?.Manifest.Id,
            Image = snapshot.Image.Manifest.Name,
            ImageId = snapshot.Image.Id,
            CpuFlags = cpu.Flags,
            XStateSize = cpu.XStateSize,
            XStateMask = cpu.XStateMask,
            MemorySize = snapshot.Memory.Size,
            Ranges = [.. snapshot.Memory.Ranges.Select(range => new MemoryRange(range.Address, range.Length))],
            ImageRanges = snapshot.ImageRanges,
            MemoryBytes = snapshot.Options.MemoryBytes,
            MaxOutputBytes = snapshot.Options.MaxOutputBytes,
            MaxThreads = snapshot.Options.MaxThreads,
            MaxOpenFiles = snapshot.Options.MaxOpenFiles,
            VirtualCpus = snapshot.Options.VirtualCpus,
            Live = snapshot.Live,
        };
    }

    /// <summary>Loads a saved sandbox, from which any number of sandboxes can go on.</summary>
    /// <exception cref="SandboxException">It is damaged, of another version, or does not fit this machine; the message says what to do.</exception>
    public async Task<SandboxSnapshot> LoadAsync(string path, IProgress<BuildStep>? progress = null, CancellationToken cancellationToken = default)
    {
        return await LoadAsync(path, () => MappedFile.Open(path), (name, token) => Templates.EnsureAsync(name, progress, token), progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The same, from wherever it is.</summary>
    internal async Task<SandboxSnapshot> LoadAsync(
        string path, Func<MappedFile> open, Func<string, CancellationToken, Task<Template>> findTemplate, IProgress<BuildStep>? progress, CancellationToken cancellationToken)
    {
        try
        {
            using var mapped = open();
            var description = SavedSandboxFile.ReadDescription(path, mapped);
            CheckMachine(description, path);
            var image = await OpenImageAsync(description.Image, progress, cancellationToken).ConfigureAwait(false);
            if (image.Id != description.ImageId)
                throw new SandboxException($"{path} was saved on another build of image '{description.Image}'. Bring that image along (images/{description.Image} of the data directory), or run the program anew.");
            Template? template = null;
            if (description.Template is { } name)
            {
                template = await findTemplate(name, cancellationToken).ConfigureAwait(false);
                if (template.Manifest.Id != description.TemplateId)
                    throw new SandboxException($"{path} was saved on another build of template '{name}'. Bring that template along (templates/{name} of the data directory), or save the sandbox whole where it is (--whole).");
            }

            var (_, memory, state) = SavedSandboxFile.Read(path, mapped);
            return new SandboxSnapshot(template, image, memory, state, description.ImageRanges, description.ToOptions()) { Live = description.Live };
        }
        catch (SnapshotDamagedException exception)
        {
            throw new SandboxException($"{exception.Message} Restore it from a copy, or save the sandbox again.");
        }
        catch (Exception exception) when (exception is HostException or IOException or UnauthorizedAccessException)
        {
            throw new SandboxException($"{path} cannot be read: {exception.Message}");
        }
    }

    private void CheckMachine(SavedSandbox description, string path)
    {
        if (description.Schema != SavedTypes.Instance.SchemaHash)
            throw new SandboxException($"{path} was saved by another version of Ramet. Restore it with that version.");
        var cpu = Kvm.CpuIdentification.Get(Device);
        string[] missing = [.. description.CpuFlags.Split(' ').Except(cpu.Flags.Split(' '), StringComparer.Ordinal)];
        if (missing.Length > 0)
            throw new SandboxException($"{path} was saved on a CPU with features that this one does not have ({string.Join(", ", missing.Take(8))}): its programs may be using them. Restore it on a machine like that.");
        if (description.XStateSize != cpu.XStateSize || description.XStateMask != cpu.XStateMask)
            throw new SandboxException($"{path} was saved on a CPU whose registers differ from this one's (XCR0 0x{description.XStateMask:x} and 0x{cpu.XStateMask:x}). Restore it on a machine like that.");
    }
}
