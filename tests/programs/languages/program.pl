# Perl: fork, pipes, signals, sockets, sorting, regular expressions, sysopen with locks.
use strict;
use warnings;
use Fcntl qw(:flock :DEFAULT);
use IO::Socket::INET;
use POSIX qw(:sys_wait_h floor);
use Socket;

sub check { my ($right, $what) = @_; die "$what\n" unless $right; }

pipe(my $reader, my $writer) or die;
my $pid = fork() // die;
if ($pid == 0) { close $reader; print $writer "from the child\n"; exit 7; }
close $writer;
check(scalar(<$reader>) eq "from the child\n", "pipe");
waitpid($pid, 0);
check(($? >> 8) == 7, "status");
check(`printf 'b\na\n' | sort` eq "a\nb\n", "backticks");
open(my $out, "|-", "cat >/tmp/perl-out") or die; print $out "x" x 100_000; close $out; check(-s "/tmp/perl-out" == 100_000, "open |-");

my $alarms = 0;
local $SIG{ALRM} = sub { $alarms++; die "alarm\n" };
eval { alarm 1; select(undef, undef, undef, 30); };
check($alarms == 1 && $@ eq "alarm\n", "alarm");

my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1", Proto => "tcp") or die;
if (($pid = fork()) == 0) {
    my $client = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $server->sockport, Proto => "tcp") or die;
    print $client "hello\n"; $client->flush; print STDOUT scalar <$client>; exit 0;
}
my $accepted = $server->accept; my $line = <$accepted>; print $accepted uc $line; close $accepted; waitpid($pid, 0);
sysopen(my $file, "/tmp/perl-lock", O_RDWR | O_CREAT) or die; check(flock($file, LOCK_EX | LOCK_NB), "flock");
my %count; $count{$_}++ for split //, "mississippi";
check(join(",", map { "$_$count{$_}" } sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count) eq "i4,s4,p2,m1", "sort");
(my $text = "2024-05-06") =~ s/(\d+)-(\d+)-(\d+)/$3.$2.$1/;
check($text eq "06.05.2024", "regular expression");
printf "perl ok %s\n", floor(3.7);
