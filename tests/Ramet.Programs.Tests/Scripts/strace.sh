# image: build
# run: --cpus 2
# strace: follows calls, processes and signals; attaches; injects errors.
echo '- calls'
strace -o log -e trace=execve,write echo hello; sed 's/0x[0-9a-f]* .*/ENVIRONMENT/' log
echo '- failures'
strace -o log -e trace=openat cat /nowhere 2> /dev/null; grep -o '"/nowhere".*' log | tr -s ' '
echo '- processes'
strace -f -o log -e trace=exit_group sh -c '(exit 3); (exit 4); exit 5'; echo "code: $?"; sed 's/^[0-9]* *//' log | grep -c 'exited with'; grep -o 'exit_group([345])' log | sort
echo '- threads and counts'
strace -f -c -o log python3 -c 'import threading; [t.start() or t.join() for t in [threading.Thread(target=print, args=(i,)) for i in range(3)]]'; grep -c 'execve' log
echo '- signals'
strace -o log -e trace=none -e signal=USR1,TERM bash -c 'trap "echo trapped" USR1; kill -USR1 $$; kill $$'; echo "code: $?"; sed 's/si_pid=[0-9]*/si_pid=PID/' log
echo '- attach'
sleep 100 & pid=$!
strace -p $pid -o log 2> /dev/null & tracer=$!
until grep -q 'TracerPid:[[:space:]]*[1-9]' /proc/$pid/status; do sleep 0.02; done; kill $pid; wait $pid; echo "code: $?"; wait $tracer; grep -c 'SIGTERM' log; tail -n 1 log
echo '- inject'
strace -o log -e inject=getcwd:error=EPERM python3 -c '
import os
try: os.getcwd()
except PermissionError as e: print(e)'
#> - calls
#> hello
#> execve("/usr/bin/echo", ["echo", "hello"], ENVIRONMENT
#> write(1, "hello\n", 6)                  = 6
#> +++ exited with 0 +++
#> - failures
#> "/nowhere", O_RDONLY) = -1 ENOENT (No such file or directory)
#> - processes
#> code: 5
#> 3
#> exit_group(3)
#> exit_group(4)
#> exit_group(5)
#> - threads and counts
#> 0
#> 1
#> 2
#> 1
#> - signals
#> trapped
#> code: 143
#> --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=PID, si_uid=0} ---
#> --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=PID, si_uid=0} ---
#> +++ killed by SIGTERM +++
#> - attach
#> code: 143
#> 2
#> +++ killed by SIGTERM +++
#> - inject
#> [Errno 1] Operation not permitted
