using System.Net;
using System.Net.Sockets;
using Ramet.Cli.Remote;

namespace Ramet.Cli.Tests;

public sealed class RemoteRunTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_request_of_a_timer_that_is_given_up_because_the_run_has_ended_throws_nothing(bool renews)
    {
        // A server that takes the request and never answers.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var daemon = new Daemon(new DaemonAddress(new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/"), null, null));
        var asking = Task.Run(() =>
        {
            if (renews) RemoteRun.Renew(daemon, "sb_1");
            else Assert.False(RemoteRun.TryKill(daemon, "sb_1", 1));
        });
        using var connection = await listener.AcceptTcpClientAsync();
        Assert.NotEqual(0, await connection.GetStream().ReadAsync(new byte[1]));
        daemon.Dispose();
        await asking;
    }
}
