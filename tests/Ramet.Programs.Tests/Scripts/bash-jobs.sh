# image: shell
# Job control: background jobs, %-names, fg, bg, stopped jobs, wait, process groups of their own.
set -m
sleep 60 & first=$!
sleep 0.8 & second=$!
jobs -p | wc -l
wait %2; echo "second: $?"
kill -0 $first && echo "first runs"
kill $first
wait; echo "all: $?"
sleep 30 & pid=$!
group=$(ps -o pgid= -p $pid | tr -d ' ')
[ "$group" = "$pid" ] && echo "a group of its own"
kill -STOP %+; while [ "$(ps -o state= -p $pid)" != T ]; do sleep 0.02; done
jobs %+ | sed 's/^.*Stopped.*sleep 30.*$/stopped: sleep 30/'
bg %+ > /dev/null; sleep 0.1; jobs -r | grep -c sleep
kill %+; wait $pid 2> /dev/null; echo "killed: $?"
(exit 9) & wait $!; echo "exit code: $?"
(sleep 60; exit 4) & slow=$!; (exit 5) & wait -n; echo "the quicker one: $?"; kill -- -$slow; wait
(kill -STOP $BASHPID; echo "to the foreground") & until [ -n "$(jobs -s)" ]; do sleep 0.02; done; fg %+ > /dev/null; echo "fg: $?"
sleep 30 & disown; kill $!; echo "disowned: $(jobs | wc -l)"
timeout 0.2 sleep 10; echo "timeout: $?"
exit 7
#> 2
#> second: 0
#> first runs
#> all: 0
#> a group of its own
#> stopped: sleep 30
#> 1
#> killed: 143
#> exit code: 9
#> the quicker one: 5
#> to the foreground
#> fg: 0
#> disowned: 0
#> timeout: 124
#! exit 7
