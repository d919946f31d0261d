namespace Ramet.Kernel.FileSystems.Proc;

/// <summary>/proc/net: headings without rows, until there is a network.</summary>
internal static class NetworkFiles
{
    /// <summary>The names.</summary>
    public static readonly string[] Names =
        ["dev", "if_inet6", "tcp", "tcp6", "udp", "udp6", "raw", "raw6", "unix", "route", "arp", "packet", "netlink", "protocols", "snmp", "sockstat"];

    /// <summary>The text of a file.</summary>
    public static string Generate(string name) => name switch
    {
        "dev" => "Inter-|   Receive                                                |  Transmit\n"
            + " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
            + "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n",
        "if_inet6" => "00000000000000000000000000000001 01 80 10 80       lo\n",
        "tcp" => "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
        "udp" or "raw" => "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n",
        "tcp6" or "udp6" or "raw6" =>
            "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
        "unix" => "Num       RefCount Protocol Flags    Type St Inode Path\n",
        "route" => "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n",
        "arp" => "IP address       HW type     Flags       HW address            Mask     Device\n",
        "packet" => "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n",
        "netlink" => "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n",
        "sockstat" => "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n",
        _ => "",
    };
}
