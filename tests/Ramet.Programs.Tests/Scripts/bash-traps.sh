# image: shell
# bash ignores QUIT for itself. Traps: signals to oneself and to children, EXIT, ERR, ignored signals, what children inherit.
trap 'echo "USR1 taken"' USR1
kill -USR1 $$
(trap 'echo "child: TERM"; exit 3' TERM; kill -TERM $BASHPID; echo "not here"); echo "child: $?"
trap '' INT; bash -c 'kill -INT $$; echo "INT stays ignored in a child"'; trap - INT
bash -c 'kill -INT $$; echo "not here"'; echo "by SIGINT: $?"
set -o errtrace; trap 'echo "ERR $?"' ERR; false; (exit 4); trap - ERR
bash -c 'trap "echo its exit" EXIT; exit 6'; echo "code: $?"
mkfifo ready; bash -c 'trap "echo caught; kill \$!; exit 0" TERM; sleep 60 & echo > ready; wait' & child=$!
read -r < ready; kill -TERM $child; wait $child; echo "wait is interrupted: $?"; 
trap 'count=$((count + 1))' USR2; for i in 1 2 3; do kill -USR2 $$; done; echo "count: $count"
trap 'echo "a child ended"' CHLD; set -m; sleep 0.05 & wait; trap - CHLD; set +m
sleep 0.5 & trap 'echo "USR1 during wait"' USR1; (sleep 0.1; kill -USR1 $$) & wait $!; wait
for signal in HUP QUIT ILL ABRT SEGV PIPE ALRM KILL; do bash -c "ulimit -c 0; kill -$signal \$\$"; echo "$signal $?"; done 2> /dev/null
kill -l 10 64; trap -l | head -1 | cut -c1-12
trap 'echo "at the end"' EXIT
exit 0
#> USR1 taken
#> child: TERM
#> child: 3
#> INT stays ignored in a child
#> by SIGINT: 130
#> ERR 1
#> ERR 4
#> its exit
#> code: 6
#> caught
#> wait is interrupted: 0
#> count: 3
#> a child ended
#> USR1 during wait
#> HUP 129
#> QUIT 0
#> ILL 132
#> ABRT 134
#> SEGV 139
#> PIPE 141
#> ALRM 142
#> KILL 137
#> USR1
#> RTMAX
#>  1) SIGHUP	 
#> at the end
