namespace Ramet.Kernel.Terminals;

/// <summary>Requests of ioctl_tty(2) (include/uapi/asm-generic/ioctls.h).</summary>
internal static class TerminalRequest
{
    public const uint TCGETS = 0x5401;
    public const uint TCSETS = 0x5402;
    public const uint TCSETSW = 0x5403;
    public const uint TCSETSF = 0x5404;
    public const uint TCGETA = 0x5405;
    public const uint TCSETA = 0x5406;
    public const uint TCSETAW = 0x5407;
    public const uint TCSETAF = 0x5408;
    public const uint TCSBRK = 0x5409;
    public const uint TCXONC = 0x540A;
    public const uint TCFLSH = 0x540B;
    public const uint TIOCEXCL = 0x540C;
    public const uint TIOCNXCL = 0x540D;
    public const uint TIOCSCTTY = 0x540E;
    public const uint TIOCGPGRP = 0x540F;
    public const uint TIOCSPGRP = 0x5410;
    public const uint TIOCOUTQ = 0x5411;
    public const uint TIOCSTI = 0x5412;
    public const uint TIOCGWINSZ = 0x5413;
    public const uint TIOCSWINSZ = 0x5414;
    public const uint FIONREAD = 0x541B;
    public const uint TIOCPKT = 0x5420;
    public const uint TIOCNOTTY = 0x5422;
    public const uint TIOCSETD = 0x5423;
    public const uint TIOCGETD = 0x5424;
    public const uint TCSBRKP = 0x5425;
    public const uint TIOCSBRK = 0x5427;
    public const uint TIOCCBRK = 0x5428;
    public const uint TIOCGSID = 0x5429;
    public const uint TCGETS2 = 0x802C542A;
    public const uint TCSETS2 = 0x402C542B;
    public const uint TCSETSW2 = 0x402C542C;
    public const uint TCSETSF2 = 0x402C542D;
    public const uint TIOCGPTN = 0x80045430;
    public const uint TIOCSPTLCK = 0x40045431;
    public const uint TIOCGDEV = 0x80045432;
    public const uint TIOCSIG = 0x40045436;
    public const uint TIOCVHANGUP = 0x5437;
    public const uint TIOCGPKT = 0x80045438;
    public const uint TIOCGPTLCK = 0x80045439;
    public const uint TIOCGEXCL = 0x80045440;
    public const uint TIOCGPTPEER = 0x5441;
}
