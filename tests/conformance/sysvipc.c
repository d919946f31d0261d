/* System V IPC (sysvipc(7)). */
#include "conformance.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; };
struct message { long type; char text[64]; };

static int new_set(int count) { return OK(semget(IPC_PRIVATE, count, 0600)); }
static int operate(int id, int number, int change, int flags)
{
    struct sembuf operation = { .sem_num = (unsigned short)number, .sem_op = (short)change, .sem_flg = (short)flags };
    return semop(id, &operation, 1);
}
static int send_message(int id, long type, const char *text, int flags)
{
    struct message message = { .type = type };
    strcpy(message.text, text);
    return msgsnd(id, &message, strlen(text), flags);
}
static void handler(int signal) { (void)signal; }
static void interrupt_after(int ms, int flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
    /* Again and again: the first may come before the wait. */
    struct itimerspec time = { .it_value.tv_nsec = ms * 1000000L, .it_interval.tv_nsec = ms * 1000000L };
    timer_t timer;
    OK(sigaction(SIGALRM, &action, NULL));
    OK(timer_create(CLOCK_MONOTONIC, NULL, &timer));
    OK(timer_settime(timer, 0, &time, NULL));
}

CASE(a_segment_is_shared_with_a_child)
{
    int id = OK(shmget(IPC_PRIVATE, 5000, 0600));
    int *words = OK(shmat(id, NULL, 0));
    CHECK_EQ(words[1000], 0);
    IN_CHILD { words[1000] = 77; }
    CHECK_EQ(words[1000], 77);
    OK(shmdt(words));
    OK(shmctl(id, IPC_RMID, NULL));
}

CASE(a_segment_keeps_its_content_while_nobody_has_it)
{
    int id = OK(shmget(IPC_PRIVATE, 4096, 0600));
    char *text = OK(shmat(id, NULL, 0));
    strcpy(text, "kept");
    OK(shmdt(text));
    text = OK(shmat(id, NULL, SHM_RDONLY));
    CHECK_STR(text, "kept");
    OK(shmctl(id, IPC_RMID, NULL));
    CHECK_STR(text, "kept");
    CHECK_ERRNO(shmdt(text + 4096), EINVAL);
    OK(shmdt(text));
    CHECK_ERRNO(shmat(id, NULL, 0) == (void *)-1 ? -1 : 0, EINVAL);
}

CASE(segment_status)
{
    struct shmid_ds status;
    int id = OK(shmget(IPC_PRIVATE, 5000, 0640));
    OK(shmctl(id, IPC_STAT, &status));
    CHECK_EQ(status.shm_segsz, 5000);
    CHECK_EQ(status.shm_nattch, 0);
    CHECK_EQ(status.shm_cpid, getpid());
    CHECK_EQ(status.shm_perm.mode, 0640);
    CHECK_EQ(status.shm_perm.cuid, geteuid());
    void *a = OK(shmat(id, NULL, 0)), *b = OK(shmat(id, NULL, 0));
    CHECK(a != b);
    OK(shmctl(id, IPC_STAT, &status));
    CHECK_EQ(status.shm_nattch, 2);
    CHECK_EQ(status.shm_lpid, getpid());
    OK(shmctl(id, IPC_RMID, NULL));
    OK(shmctl(id, IPC_STAT, &status));
    CHECK_EQ(status.shm_perm.mode, 0640 | SHM_DEST);
    OK(shmdt(a));
    OK(shmdt(b));
    CHECK_ERRNO(shmctl(id, IPC_STAT, &status), EINVAL);
}

CASE(segment_keys)
{
    key_t key = 0x52000000 | getpid();
    CHECK_ERRNO(shmget(key, 4096, 0600), ENOENT);
    int id = OK(shmget(key, 4096, IPC_CREAT | 0600));
    CHECK_EQ(shmget(key, 4096, 0), id);
    CHECK_EQ(shmget(key, 0, 0), id);
    CHECK_ERRNO(shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    CHECK_ERRNO(shmget(key, 8192, 0), EINVAL);
    CHECK_ERRNO(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
    OK(shmctl(id, IPC_RMID, NULL));
    CHECK_ERRNO(shmget(key, 4096, 0600), ENOENT);
}

CASE(attaching_at_an_address)
{
    int id = OK(shmget(IPC_PRIVATE, 4096, 0600));
    char *place = OK(mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_ERRNO(shmat(id, place, 0), EINVAL);
    CHECK_ERRNO(shmat(id, place + 1, SHM_REMAP), EINVAL);
    CHECK_ERRNO(shmat(id, NULL, SHM_REMAP), EINVAL);
    CHECK(OK(shmat(id, place, SHM_REMAP)) == (void *)place);
    OK(munmap(place + 4096, 4096));
    CHECK(OK(shmat(id, place + 4096 + 17, SHM_RND)) == (void *)(place + 4096));
    place[0] = 'x';
    CHECK_EQ(place[4096], 'x');
    OK(shmctl(id, IPC_RMID, NULL));
}

CASE(a_read_only_attachment_cannot_be_written)
{
    int id = OK(shmget(IPC_PRIVATE, 4096, 0600));
    volatile char *text = OK(shmat(id, NULL, SHM_RDONLY));
    pid_t pid;
    CHILD(pid) { *text = 1; }
    CHECK_EQ(wait_for(pid), 128 + SIGSEGV);
    CHECK_ERRNO(mprotect((void *)text, 4096, PROT_READ | PROT_WRITE), EACCES);
    OK(shmctl(id, IPC_RMID, NULL));
}

CASE(exit_detaches)
{
    struct shmid_ds status;
    int id = OK(shmget(IPC_PRIVATE, 4096, 0600));
    IN_CHILD { OK(shmat(id, NULL, 0)); }
    OK(shmctl(id, IPC_STAT, &status));
    CHECK_EQ(status.shm_nattch, 0);
    OK(shmctl(id, IPC_RMID, NULL));
}

CASE(permissions_of_objects)
{
    NEEDS_ROOT();
    int segment = OK(shmget(IPC_PRIVATE, 4096, 0600)), set = new_set(1), queue = OK(msgget(IPC_PRIVATE, 0600));
    IN_CHILD {
        OK(setresgid(1234, 1234, 1234));
        OK(setresuid(1234, 1234, 1234));
        CHECK_ERRNO(shmat(segment, NULL, 0), EACCES);
        CHECK_ERRNO(shmctl(segment, IPC_RMID, NULL), EPERM);
        CHECK_ERRNO(operate(set, 0, 1, 0), EACCES);
        CHECK_ERRNO(semctl(set, 0, GETVAL), EACCES);
        CHECK_ERRNO(semctl(set, 0, IPC_RMID), EPERM);
        CHECK_ERRNO(send_message(queue, 1, "", 0), EACCES);
        CHECK_ERRNO(msgctl(queue, IPC_RMID, NULL), EPERM);
    }
    OK(shmctl(segment, IPC_RMID, NULL));
    OK(semctl(set, 0, IPC_RMID));
    OK(msgctl(queue, IPC_RMID, NULL));
}

CASE(semaphore_values)
{
    unsigned short values[3] = { 1, 2, 3 }, got[3];
    union semun argument = { .array = values };
    int id = new_set(3);
    CHECK_EQ(semctl(id, 1, GETVAL), 0);
    OK(semctl(id, 0, SETALL, argument));
    argument.array = got;
    OK(semctl(id, 0, GETALL, argument));
    CHECK(memcmp(values, got, sizeof got) == 0);
    argument.val = 9;
    OK(semctl(id, 1, SETVAL, argument));
    CHECK_EQ(semctl(id, 1, GETVAL), 9);
    CHECK_EQ(semctl(id, 1, GETPID), getpid());
    argument.val = 40000;
    CHECK_ERRNO(semctl(id, 1, SETVAL, argument), ERANGE);
    argument.val = -1;
    CHECK_ERRNO(semctl(id, 1, SETVAL, argument), ERANGE);
    CHECK_ERRNO(semctl(id, 3, GETVAL), EINVAL);
    CHECK_ERRNO(semctl(id, 0, 99), EINVAL);
    struct semid_ds status;
    argument.buf = &status;
    OK(semctl(id, 0, IPC_STAT, argument));
    CHECK_EQ(status.sem_nsems, 3);
    OK(semctl(id, 0, IPC_RMID));
}

CASE(operations_are_all_or_nothing)
{
    int id = new_set(2);
    struct sembuf operations[2] = { { 0, 1, 0 }, { 1, -1, IPC_NOWAIT } };
    CHECK_ERRNO(semop(id, operations, 2), EAGAIN);
    CHECK_EQ(semctl(id, 0, GETVAL), 0);
    OK(operate(id, 1, 1, 0));
    OK(semop(id, operations, 2));
    CHECK_EQ(semctl(id, 0, GETVAL), 1);
    CHECK_EQ(semctl(id, 1, GETVAL), 0);
    OK(operate(id, 1, 0, IPC_NOWAIT));
    CHECK_ERRNO(operate(id, 0, 0, IPC_NOWAIT), EAGAIN);
    CHECK_ERRNO(operate(id, 0, 32767, 0), ERANGE);
    CHECK_ERRNO(operate(id, 2, 1, 0), EFBIG);
    CHECK_ERRNO(semop(id, operations, 0), EINVAL);
    CHECK_ERRNO(semop(id, operations, 501), E2BIG);
    OK(semctl(id, 0, IPC_RMID));
    CHECK_ERRNO(operate(id, 0, 1, 0), EINVAL);
}

CASE(a_semaphore_is_waited_for)
{
    int id = new_set(1);
    pid_t pid;
    CHILD(pid) { OK(operate(id, 0, -2, 0)); }
    while (semctl(id, 0, GETNCNT) != 1) sleep_ms(5);
    OK(operate(id, 0, 1, 0));
    sleep_ms(20);
    CHECK_EQ(semctl(id, 0, GETNCNT), 1);
    OK(operate(id, 0, 1, 0));
    CHECK_EQ(wait_for(pid), 0);
    CHECK_EQ(semctl(id, 0, GETVAL), 0);
    CHECK_EQ(semctl(id, 0, GETPID), pid);
    OK(semctl(id, 0, IPC_RMID));
}

CASE(zero_is_waited_for)
{
    int id = new_set(1);
    pid_t pid;
    OK(operate(id, 0, 1, 0));
    CHILD(pid) { OK(operate(id, 0, 0, 0)); }
    while (semctl(id, 0, GETZCNT) != 1) sleep_ms(5);
    OK(operate(id, 0, -1, 0));
    CHECK_EQ(wait_for(pid), 0);
    OK(semctl(id, 0, IPC_RMID));
}

CASE(removal_ends_the_wait)
{
    int id = new_set(1);
    pid_t pid;
    CHILD(pid) { CHECK_ERRNO(operate(id, 0, -1, 0), EIDRM); }
    while (semctl(id, 0, GETNCNT) != 1) sleep_ms(5);
    OK(semctl(id, 0, IPC_RMID));
    CHECK_EQ(wait_for(pid), 0);
}

CASE(a_wait_with_a_timeout)
{
    int id = new_set(1);
    struct sembuf operation = { 0, -1, 0 };
    struct timespec timeout = { 0, 30000000 };
    int64_t before = now_ms();
    CHECK_ERRNO(semtimedop(id, &operation, 1, &timeout), EAGAIN);
    CHECK(now_ms() - before >= 29);
    timeout.tv_nsec = 1000000000;
    CHECK_ERRNO(semtimedop(id, &operation, 1, &timeout), EINVAL);
    OK(semctl(id, 0, IPC_RMID));
}

CASE(a_signal_ends_the_wait_even_with_SA_RESTART)
{
    int id = new_set(1);
    interrupt_after(30, SA_RESTART);
    CHECK_ERRNO(operate(id, 0, -1, 0), EINTR);
    OK(semctl(id, 0, IPC_RMID));
}

CASE(exit_undoes)
{
    int id = new_set(1);
    OK(operate(id, 0, 5, 0));
    IN_CHILD { OK(operate(id, 0, -3, SEM_UNDO)); CHECK_EQ(semctl(id, 0, GETVAL), 2); }
    CHECK_EQ(semctl(id, 0, GETVAL), 5);
    IN_CHILD { OK(operate(id, 0, 4, SEM_UNDO)); OK(operate(id, 0, -1, SEM_UNDO)); }
    CHECK_EQ(semctl(id, 0, GETVAL), 5);
    IN_CHILD { OK(operate(id, 0, 4, SEM_UNDO)); union semun v = { .val = 1 }; OK(semctl(id, 0, SETVAL, v)); }
    CHECK_EQ(semctl(id, 0, GETVAL), 1);
    OK(semctl(id, 0, IPC_RMID));
}

CASE(messages_by_type)
{
    struct message message;
    int id = OK(msgget(IPC_PRIVATE, 0600));
    OK(send_message(id, 3, "three", 0));
    OK(send_message(id, 1, "one", 0));
    OK(send_message(id, 2, "two", 0));
    CHECK_EQ(msgrcv(id, &message, 64, 2, 0), 3);
    CHECK_EQ(message.type, 2);
    CHECK(memcmp(message.text, "two", 3) == 0);
    CHECK_ERRNO(msgrcv(id, &message, 64, 2, IPC_NOWAIT), ENOMSG);
    CHECK_EQ(msgrcv(id, &message, 64, -3, 0), 3);
    CHECK_EQ(message.type, 1);
    OK(send_message(id, 4, "four", 0));
    CHECK_EQ(msgrcv(id, &message, 64, 3, MSG_EXCEPT), 4);
    CHECK_EQ(message.type, 4);
    CHECK_ERRNO(msgrcv(id, &message, 2, 0, 0), E2BIG);
    CHECK_EQ(msgrcv(id, &message, 2, 0, MSG_NOERROR), 2);
    OK(msgctl(id, IPC_RMID, NULL));
}

CASE(a_message_is_waited_for)
{
    struct message message;
    int id = OK(msgget(IPC_PRIVATE, 0600));
    pid_t pid, parent = getpid();
    CHILD(pid) { wait_until_blocked(parent); OK(send_message(id, 7, "late", 0)); }
    CHECK_EQ(msgrcv(id, &message, 64, 7, 0), 4);
    CHECK_EQ(wait_for(pid), 0);
    CHILD(pid) { CHECK_ERRNO(msgrcv(id, &message, 64, 0, 0), EIDRM); }
    wait_until_blocked(pid);
    OK(msgctl(id, IPC_RMID, NULL));
    CHECK_EQ(wait_for(pid), 0);
}

CASE(a_full_queue)
{
    static struct { long type; char text[8192]; } large = { .type = 1 };
    struct msqid_ds status;
    int id = OK(msgget(IPC_PRIVATE, 0600));
    OK(msgctl(id, IPC_STAT, &status));
    status.msg_qbytes = 16384;
    OK(msgctl(id, IPC_SET, &status));
    OK(msgsnd(id, &large, 8192, 0));
    OK(msgsnd(id, &large, 8192, 0));
    CHECK_ERRNO(msgsnd(id, &large, 1, IPC_NOWAIT), EAGAIN);
    OK(msgctl(id, IPC_STAT, &status));
    CHECK_EQ(status.msg_qnum, 2);
    CHECK_EQ(status.__msg_cbytes, 16384);
    CHECK_EQ(status.msg_lspid, getpid());
    pid_t pid;
    CHILD(pid) { OK(msgsnd(id, &large, 10, 0)); }
    wait_until_blocked(pid);
    CHECK_EQ(msgrcv(id, &large, 8192, 0, 0), 8192);
    CHECK_EQ(wait_for(pid), 0);
    CHECK_ERRNO(msgsnd(id, &large, 9000, 0), EINVAL);
    large.type = 0;
    CHECK_ERRNO(msgsnd(id, &large, 1, 0), EINVAL);
    OK(msgctl(id, IPC_RMID, NULL));
    CHECK_ERRNO(msgctl(id, IPC_STAT, &status), EINVAL);
}

CASE(lists_in_proc)
{
    char line[64];
    int segment = OK(shmget(IPC_PRIVATE, 4096, 0600)), set = new_set(1), queue = OK(msgget(IPC_PRIVATE, 0600));
    snprintf(line, sizeof line, "%10d %10d   600 ", 0, segment);
    CHECK(strstr(read_file("/proc/sysvipc/shm"), line) != NULL);
    snprintf(line, sizeof line, "%10d %10d   600 ", 0, set);
    CHECK(strstr(read_file("/proc/sysvipc/sem"), line) != NULL);
    snprintf(line, sizeof line, "%10d %10d   600 ", 0, queue);
    CHECK(strstr(read_file("/proc/sysvipc/msg"), line) != NULL);
    OK(shmctl(segment, IPC_RMID, NULL));
    OK(semctl(set, 0, IPC_RMID));
    OK(msgctl(queue, IPC_RMID, NULL));
}
