using Ramet.Images;
using Spectre.Console;

namespace Ramet.Cli.Output;

/// <summary>Progress on a terminal: a line with a bar for each step. Only used when something is built, so that a short run need not load it.</summary>
internal sealed class TerminalProgress : IProgress<BuildStep>, IDisposable
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<ProgressContext> _context = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _display;
    private ProgressTask? _task;
    private string? _text;

    public TerminalProgress()
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        var progress = console.Progress().AutoClear(false).Columns(
            new SpinnerColumn(), new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn { Width = 24 }, new ElapsedTimeColumn());
        _display = Task.Run(() => progress.StartAsync(async context =>
        {
            _context.SetResult(context);
            await _done.Task.ConfigureAwait(false);
        }));
    }

    /// <inheritdoc/>
    public void Report(BuildStep value)
    {
        lock (_lock)
        {
            if (_done.Task.IsCompleted) return;
            if (_text != value.Text)
            {
                Finish();
                _task = _context.Task.GetAwaiter().GetResult().AddTask(Markup.Escape(value.Text), maxValue: 1);
                _text = value.Text;
            }

            _task!.IsIndeterminate = value.Fraction is null;
            if (value.Fraction is { } fraction) _task.Value = fraction;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            Finish();
            _done.TrySetResult();
        }

        _display.GetAwaiter().GetResult();
    }

    private void Finish()
    {
        if (_task is null) return;
        _task.IsIndeterminate = false;
        _task.Value = 1;
        _task.StopTask();
    }
}
