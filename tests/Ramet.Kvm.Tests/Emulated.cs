namespace Ramet.Kvm.Tests;

/// <summary>
/// Whether the tests run on QEMU's emulation of a CPU (tests/stock-kvm sets RAMET_TEST_EMULATED), which is slow and has
/// gaps of its own. Each exception that a test makes for it names the gap.
/// </summary>
internal static class Emulated
{
    public static bool IsOn { get; } = Environment.GetEnvironmentVariable("RAMET_TEST_EMULATED") is not null;
}
