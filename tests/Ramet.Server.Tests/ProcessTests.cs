using System.Net;
using System.Net.WebSockets;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Ramet.Sandboxes.Hosting;
using Ramet.Server.Api;
using Ramet.Server.Http;

namespace Ramet.Server.Tests;

/// <summary>What processes are started with, and callers who do not stay or do not behave.</summary>
public sealed class ProcessTests(Daemon daemon)
{
    private const int Large = 3 << 20;

    [Fact]
    public async Task A_process_whose_number_nobody_has_learnt_is_ended()
    {
        var host = DispatchProxy.Create<ILiveSandboxHost, OneProcess>();
        var process = (OneProcess)(object)host;
        using var leaving = new CancellationTokenSource();
        var context = new DefaultHttpContext { RequestAborted = leaving.Token };
        context.Request.ContentType = "application/json";
        context.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes("""{"shell":"sleep 1000"}"""));
        context.Request.RouteValues["id"] = "sb_1";
        new Caller("dev").SetOn(context);
        // Its caller goes while it starts.
        process.OnStart = leaving.Cancel;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new ProcessEndpoints(host, default).StartAsync(context));
        Assert.Equal(9, process.Signal);
    }

    [Fact]
    public async Task A_process_that_does_not_read_its_input_is_told_of_and_reads_all_of_it_later()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        var started = await sandbox.StartAsync(new { shell = "while [ ! -e /tmp/go ]; do sleep 0.05; done; wc -c", stdin = new string('x', Large) });
        Assert.True((bool)started["running"]!);
        await GoAsync(sandbox);
        var events = await sandbox.OutputAsync((int)started["pid"]!);
        Assert.Equal($"{Large}", string.Concat(events.Where(one => one.Name == "stdout").Select(one => (string?)one.Data["text"])).Trim());
    }

    [Fact]
    public async Task Input_that_is_given_later_comes_after_what_a_process_was_started_with()
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        var started = await sandbox.StartAsync(new { shell = "while [ ! -e /tmp/go ]; do sleep 0.05; done; tail -c 7", stdin = new string('x', Large) + "end", keep_stdin = true });
        using var more = new ByteArrayContent("more"u8.ToArray());
        var giving = daemon.Http.PostAsync($"{sandbox.Path}/processes/{started["pid"]}/stdin?close=true", more);
        await GoAsync(sandbox);
        using (var given = await giving) Assert.Equal(HttpStatusCode.NoContent, given.StatusCode);
        var events = await sandbox.OutputAsync((int)started["pid"]!);
        Assert.Equal("endmore", string.Concat(events.Where(one => one.Name == "stdout").Select(one => (string?)one.Data["text"])));
    }

    [Fact]
    public async Task What_waits_for_programs_that_do_not_read_is_bounded_and_given_back_when_they_end()
    {
        var host = DispatchProxy.Create<ILiveSandboxHost, OneProcess>();
        var process = (OneProcess)(object)host;
        var input = new ProcessInput(host);
        Assert.Null(input.Reserve("a", 1 << 20, toTerminal: false));
        var room = input.Reserve("a", 60 << 20, toTerminal: false);
        Assert.Equal(429, Assert.Throws<ProblemException>(() => input.Reserve("a", 5 << 20, toTerminal: false)).Status);
        using (input.Reserve("b", 5 << 20, toTerminal: false)) Assert.NotNull(room);
        await input.BeginAsync("a", "sb_1", 7, new byte[10], close: true, room, default);
        var later = input.WriteAsync("a", "sb_1", 7, new byte[1], close: false, default);
        Assert.Equal(1, process.Writes);
        process.Reading.SetException(new SandboxGoneException("sb_1"));
        await later;
        Assert.Equal(2, process.Writes);
        using var again = input.Reserve("a", 60 << 20, toTerminal: false);
        Assert.NotNull(again);
    }

    [Theory]
    [InlineData("""{"signal":"\ud800"}""")]
    [InlineData("""{"\ud800":true}""")]
    [InlineData("[]")]
    [InlineData("""{"signal":"ÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅ"}""")]
    public async Task A_message_that_makes_no_sense_ends_the_connection_and_says_why(string message)
    {
        await using var sandbox = await LiveSandbox.CreateAsync(daemon.Http);
        var process = await sandbox.StartAsync(new { command = new[] { "sleep", "1000" } });
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", $"Bearer {daemon.Key}");
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{daemon.Server.Address.Port}{sandbox.Path}/processes/{process["pid"]}/connect"), default);
        await socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, true, default);
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        var received = await socket.ReceiveAsync(new byte[1000], limit.Token);
        Assert.Equal((WebSocketMessageType.Close, WebSocketCloseStatus.PolicyViolation), (received.MessageType, received.CloseStatus));
        Assert.Contains("signal", received.CloseStatusDescription, StringComparison.Ordinal);
    }

    private async Task GoAsync(LiveSandbox sandbox)
    {
        using var go = await daemon.Http.PutAsync($"{sandbox.Path}/files/content?path=/tmp/go", new ByteArrayContent([]));
        Assert.Equal(HttpStatusCode.NoContent, go.StatusCode);
    }

    /// <summary>A host with one process, which reads when it is told to.</summary>
    public class OneProcess : DispatchProxy
    {
        public Action? OnStart { get; set; }

        public TaskCompletionSource Reading { get; } = new();

        public int Writes { get; private set; }

        public int Signal { get; private set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            switch (targetMethod?.Name)
            {
                case nameof(ILiveSandboxHost.StartProcessAsync):
                    OnStart?.Invoke();
                    return Task.FromResult(new HostedProcess(7, ["sleep"], TimeProvider.System.GetUtcNow(), false, null));
                case nameof(ILiveSandboxHost.WriteInputAsync):
                    return ++Writes == 1 && OnStart is null ? Reading.Task : Task.CompletedTask;
                case nameof(ILiveSandboxHost.SignalAsync):
                    Signal = (int)args![3]!;
                    return Task.FromResult(true);
                default:
                    throw new NotSupportedException(targetMethod?.Name);
            }
        }
    }
}
