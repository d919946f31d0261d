# image: build
# run: --cpus 2 --memory 1G
# gdb: starts a program, attaches to one that runs, follows threads, forks and signals.
cat > t.c <<'X'
#include <stdio.h>
#include <unistd.h>
struct point { int x, y; };
static int counter;
static int work(struct point p)
{
    counter += p.x * p.y;
    return counter;
}
int main(void)
{
    for (int i = 1; ; i++) {
        struct point p = { i, 10 };
        int r = work(p);
        if (counter > 1000000) { printf("counter %d\n", r); return 3; }
        usleep(access("slow", F_OK) ? 1000 : 100000);
    }
}
X
cat > threads.c <<'X'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
static __thread int mine;
static void in_thread(int number) { mine = number; }
static void *body(void *argument) { in_thread((int)(long)argument); return NULL; }
static void on_signal(int number) { printf("handled %d\n", number); }
int main(void)
{
    pthread_t threads[3];
    for (long i = 0; i < 3; i++) pthread_create(&threads[i], NULL, body, (void *)(i + 1));
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    return 0;
}
X
cat > faulty.c <<'X'
int main(void) { int *p = 0; *p = 1; return 0; }
X
for f in t threads faulty; do gcc -g -O0 -pthread $f.c -o $f; done
debug() { gdb -q -nx -batch -ex 'set debuginfod enabled off' -ex 'set pagination off' "$@" 2>&1 | grep -v 'libthread_db\|New Thread\|Thread 0x.*exited\|Switching to Thread\|^$'; }
echo '- run'
debug -ex 'break work' -ex run -ex 'print p' -ex next -ex 'print counter' -ex finish -ex 'set var counter = 999995' -ex delete -ex continue ./t | grep -o '^\$.*\|Value returned.*\|counter [0-9][0-9]*\|exited with code.*'
echo '- attach'
touch slow; ./t > out & pid=$!
until [ "$(readlink /proc/$pid/exe)" = "$PWD/t" ]; do sleep 0.02; done
grep -c "^TracerPid:	0$" /proc/$pid/status
debug -p $pid -ex 'break work' -ex continue -ex bt -ex 'print counter > 0' -ex 'stepi' -ex 'print $rip > 0' -ex 'call (int)getpid() > 0' -ex 'set var counter = 5000000' -ex delete -ex detach | grep -o '^#. .*\|^\$.*' | sed 's/0x[0-9a-f]*/ADDRESS/'
wait $pid; echo "ended $?"; rm slow; grep -c 'counter 50' out
echo '- threads'
debug -ex 'break in_thread if number == 2' -ex run -ex 'print number' -ex 'info threads' -ex 'handle SIGUSR1 stop print pass' -ex continue -ex continue ./threads | grep -o '^\$.*\|received signal.*\|handled .*\|exited normally' ; echo '- fault'
debug -ex run -ex 'print p' -ex 'print $_siginfo.si_signo' -ex 'print $_siginfo._sifields._sigfault.si_addr' -ex 'info proc' -ex kill ./faulty | sed "s#^exe = '.*/#exe = '#" | grep -o '^\$.*\|received signal.*\|^exe = .*'
echo '- fork'
debug -ex 'set follow-fork-mode child' -ex 'set breakpoint pending on' -ex 'break work' -ex run -ex 'print p.x' -ex kill --args sh -c './t & wait' | grep -o '^\$.*'
#> - run
#> $1 = {x = 1, y = 10}
#> $2 = 10
#> Value returned is $3 = 10
#> counter 1000015
#> exited with code 03]
#> - attach
#> 1
#> #0  work (p=...) at t.c:7
#> #1  ADDRESS in main () at t.c:14
#> $1 = 1
#> $2 = 1
#> $3 = 1
#> ended 3
#> 1
#> - threads
#> $1 = 2
#> received signal SIGUSR1, User defined signal 1.
#> handled 10
#> exited normally
#> - fault
#> received signal SIGSEGV, Segmentation fault.
#> $1 = (int *) 0x0
#> $2 = 11
#> $3 = (void *) 0x0
#> exe = 'faulty'
#> - fork
#> $1 = 1
