using Ramet.Host;

namespace Ramet.Sandboxes.Workers;

/// <summary>A template whose memory and state other processes can map: both are sealed. They find them by this process's descriptors, which stay open for as long as somebody looks.</summary>
internal sealed class SharedTemplate : IDisposable
{
    private readonly Lock _lock = new();
    private readonly FileDescriptor _state;
    private readonly FileDescriptor? _largePages;
    private readonly bool _isOwn;
    private int _users = 1;
    private bool _disposed;

    /// <param name="template">The template.</param>
    /// <param name="isOwn">Whether it is disposed with this.</param>
    public SharedTemplate(Template template, bool isOwn)
    {
        Template = template;
        _isOwn = isOwn;
        _state = MemoryFile.Create("ramet-state");
        _state.WriteAllAt(template.State.Span, 0);
        MemoryFile.Seal(_state);
        _largePages = template.Image.CopyToLargePages(template.Manifest.LargeImagePages);
    }

    /// <summary>The template.</summary>
    public Template Template { get; }

    /// <summary>Keeps the descriptors open until the result is disposed.</summary>
    /// <exception cref="TemplateNotFoundException">It was removed.</exception>
    public IDisposable Use()
    {
        lock (_lock)
        {
            if (_disposed) throw new TemplateNotFoundException($"Template '{Template.Manifest.Name}' is not there any more.");
            _users++;
        }

        return new User(this);
    }

    /// <summary>What a worker needs to know to take it over.</summary>
    public LoadArguments ToArguments(int machines) => new(Template.Manifest.ToJson(), PathOf(Template.Memory.File), PathOf(_state), _largePages is null ? null : PathOf(_largePages), machines);

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
        }

        Leave();
    }

    private static string PathOf(FileDescriptor file) => $"/proc/{Environment.ProcessId}/fd/{file.Number}";

    private void Leave()
    {
        lock (_lock)
        {
            if (--_users > 0) return;
        }

        _state.Dispose();
        _largePages?.Dispose();
        if (_isOwn) Template.Dispose();
    }

    private sealed class User(SharedTemplate template) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0) template.Leave();
        }
    }
}
