/* Pseudoterminals: devpts, the line discipline, sessions and job control (pty(7), termios(3), ioctl_tty(2), credentials(7)). */
#include "conformance.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <sys/sysmacros.h>

// flags: -lutil

static int master, slave;

static void open_pair(void)
{
    master = OK(posix_openpt(O_RDWR | O_NOCTTY));
    OK(grantpt(master));
    OK(unlockpt(master));
    slave = OK(open(ptsname(master), O_RDWR | O_NOCTTY));
}

/* What the master has once that many bytes have come, and what follows them within a moment. Linux works off what was typed in a thread of its own. */
static const char *output(size_t expected)
{
    static char text[8192];
    size_t length = 0;
    struct pollfd fd = { master, POLLIN, 0 };
    while (length < sizeof text - 1 && poll(&fd, 1, length < expected ? 5000 : 60) == 1 && (fd.revents & POLLIN)) {
        ssize_t count = read(master, text + length, sizeof text - 1 - length);
        if (count <= 0) break;
        length += (size_t)count;
    }
    text[length] = 0;
    return text;
}
#define CHECK_OUTPUT(expected) CHECK_STR(output(strlen(expected)), expected)

/* Types the text; this is its echo. */
#define CHECK_ECHO(text, expected) do { CHECK_EQ(write(master, text, strlen(text)), strlen(text)); CHECK_OUTPUT(expected); } while (0)

/* Until so many bytes can be read. */
static void wait_for_input(int bytes)
{
    int count;
    while (OK(ioctl(slave, FIONREAD, &count)) == 0 && count < bytes) sleep_ms(1);
    CHECK_EQ(count, bytes);
}

/* Until the terminal takes output, or no longer does. */
static void wait_for_output_to_be(bool possible)
{
    struct pollfd fd = { slave, POLLOUT, 0 };
    while (OK(poll(&fd, 1, 0)) != possible) sleep_ms(1);
}

static const char *line(void)
{
    static char text[8192];
    ssize_t count = OK(read(slave, text, sizeof text - 1));
    text[count] = 0;
    return text;
}

static void change(tcflag_t clear_local, tcflag_t set_local, tcflag_t clear_input, tcflag_t set_input)
{
    struct termios modes;
    OK(tcgetattr(slave, &modes));
    modes.c_lflag = (modes.c_lflag & ~clear_local) | set_local;
    modes.c_iflag = (modes.c_iflag & ~clear_input) | set_input;
    OK(tcsetattr(slave, TCSANOW, &modes));
}

CASE(ptsname_leads_to_a_terminal)
{
    open_pair();
    struct stat status;
    OK(fstat(slave, &status));
    CHECK(S_ISCHR(status.st_mode));
    CHECK_EQ(major(status.st_rdev), 136);
    CHECK_EQ(isatty(slave), 1);
    CHECK_EQ(isatty(master), 1);
    char name[64];
    CHECK_CODE(ttyname_r(slave, name, sizeof name), 0);
    CHECK_STR(name, ptsname(master));
}

CASE(locked_terminal_cannot_be_opened)
{
    master = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
    CHECK_ERRNO(open(ptsname(master), O_RDWR | O_NOCTTY), EIO);
    int lock = 0;
    OK(ioctl(master, TIOCSPTLCK, &lock));
    OK(open(ptsname(master), O_RDWR | O_NOCTTY));
    OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
}

CASE(default_modes)
{
    open_pair();
    struct termios modes;
    OK(tcgetattr(slave, &modes));
    CHECK_EQ(modes.c_iflag, ICRNL | IXON);
    CHECK_EQ(modes.c_oflag, OPOST | ONLCR);
    CHECK_EQ(modes.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
    CHECK_EQ(modes.c_cc[VINTR], 3);
    CHECK_EQ(modes.c_cc[VERASE], 0x7f);
    CHECK_EQ(modes.c_cc[VMIN], 1);
    CHECK_EQ(cfgetospeed(&modes), B38400);
    struct termios again;
    OK(tcgetattr(master, &again));
    CHECK_EQ(again.c_lflag, modes.c_lflag);
}

CASE(canonical_lines)
{
    open_pair();
    CHECK_ECHO("one\rtwo\n", "one\r\ntwo\r\n");
    wait_for_input(8);
    CHECK_STR(line(), "one\n");
    CHECK_STR(line(), "two\n");
    CHECK_ECHO("ab", "ab");
    struct pollfd fd = { slave, POLLIN, 0 };
    CHECK_EQ(poll(&fd, 1, 0), 0);
    CHECK_ECHO("\x04", "");
    CHECK_STR(line(), "ab");
    CHECK_ECHO("\x04", "");
    CHECK_STR(line(), "");
}

CASE(editing)
{
    open_pair();
    CHECK_ECHO("ab\x7f\n", "ab\b \b\r\n");
    CHECK_STR(line(), "a\n");
    CHECK_ECHO("one two\x17x\n", "one two\b \b\b \b\b \bx\r\n");
    CHECK_STR(line(), "one x\n");
    CHECK_ECHO("abc\x15" "d\n", "abc\b \b\b \b\b \bd\r\n");
    CHECK_STR(line(), "d\n");
    CHECK_ECHO("\x01\x7f\n", "^A\b \b\b \b\r\n");
    CHECK_STR(line(), "\n");
    CHECK_ECHO("ab\t\x7f\n", "ab\t\b\b\b\b\b\b\r\n");
    CHECK_STR(line(), "ab\n");
    CHECK_ECHO("\x7f", "");
}

CASE(literal_next_and_reprint)
{
    open_pair();
    CHECK_ECHO("\x16\x03\n", "^\b^C\r\n");
    CHECK_STR(line(), "\x03\n");
    CHECK_ECHO("ab\x12", "ab^R\r\nab");
    CHECK_ECHO("c\n", "c\r\n");
    CHECK_STR(line(), "abc\n");
}

CASE(echo_variants)
{
    open_pair();
    change(ECHOKE, 0, 0, 0);
    CHECK_ECHO("ab\x15", "ab^U\r\n");
    change(ECHO, ECHONL, 0, 0);
    CHECK_ECHO("ab\n", "\r\n");
    CHECK_STR(line(), "ab\n");
    change(ECHOCTL | ECHONL, ECHO, 0, 0);
    CHECK_ECHO("\x01\n", "\x01\r\n");
    CHECK_STR(line(), "\x01\n");
    change(0, ECHOPRT, 0, 0);
    CHECK_ECHO("ab\x7f" "c\n", "ab\\b/c\r\n");
    CHECK_STR(line(), "ac\n");
}

CASE(utf8_characters_are_erased_at_once)
{
    open_pair();
    change(0, 0, 0, IUTF8);
    CHECK_ECHO("\xc3\xa9\x7f\n", "\xc3\xa9\b \b\r\n");
    CHECK_STR(line(), "\n");
    change(0, 0, IUTF8, 0);
    CHECK_ECHO("\xc3\xa9\x7f\n", "\xc3\xa9\b \b\r\n");
    CHECK_STR(line(), "\xc3\n");
}

CASE(raw_mode)
{
    open_pair();
    struct termios modes;
    OK(tcgetattr(slave, &modes));
    cfmakeraw(&modes);
    OK(tcsetattr(slave, TCSAFLUSH, &modes));
    CHECK_ECHO("a\r\x03\x7f", "");
    CHECK_STR(line(), "a\r\x03\x7f");
    OK(write(slave, "x\ny", 3));
    CHECK_OUTPUT("x\ny");
    modes.c_cc[VMIN] = 0;
    modes.c_cc[VTIME] = 1;
    OK(tcsetattr(slave, TCSANOW, &modes));
    char byte;
    CHECK_EQ(read(slave, &byte, 1), 0);
    modes.c_cc[VTIME] = 0;
    OK(tcsetattr(slave, TCSANOW, &modes));
    CHECK_EQ(read(slave, &byte, 1), 0);
    modes.c_cc[VMIN] = 3;
    OK(tcsetattr(slave, TCSANOW, &modes));
    struct pollfd fd = { slave, POLLIN, 0 };
    CHECK_ECHO("ab", "");
    wait_for_input(2);
    CHECK_EQ(poll(&fd, 1, 0), 0);
    CHECK_ECHO("c", "");
    CHECK_EQ(poll(&fd, 1, 5000), 1);
    CHECK_STR(line(), "abc");
}

CASE(nonblocking)
{
    open_pair();
    OK(fcntl(slave, F_SETFL, O_NONBLOCK));
    OK(fcntl(master, F_SETFL, O_NONBLOCK));
    char byte;
    CHECK_ERRNO(read(slave, &byte, 1), EAGAIN);
    CHECK_ERRNO(read(master, &byte, 1), EAGAIN);
    static char many[65536];
    struct termios modes;
    OK(tcgetattr(slave, &modes));
    cfmakeraw(&modes);
    OK(tcsetattr(slave, TCSANOW, &modes));
    long total = 0, count;
    struct pollfd other = { master, POLLIN, 0 };
    /* Linux hands it to the other side in a thread of its own, and then there is room again: what is full twice is full. */
    for (int i = 0; i < 2; i++) {
        while ((count = write(slave, many, sizeof many)) > 0) total += count;
        CHECK_EQ(poll(&other, 1, 5000), 1);
        sleep_ms(20);
    }
    CHECK(total >= 4096);
    CHECK_ERRNO(write(slave, many, sizeof many), EAGAIN);
    struct pollfd fd = { slave, POLLOUT, 0 };
    CHECK_EQ(poll(&fd, 1, 0), 0);
}

CASE(output_stops_and_starts)
{
    open_pair();
    CHECK_ECHO("\x13", "");
    wait_for_output_to_be(false);
    OK(fcntl(slave, F_SETFL, O_NONBLOCK));
    CHECK_ERRNO(write(slave, "x", 1), EAGAIN);
    CHECK_ECHO("\x11", "");
    wait_for_output_to_be(true);
    CHECK_EQ(write(slave, "x", 1), 1);
    CHECK_OUTPUT("x");
    OK(tcflow(slave, TCOOFF));
    CHECK_ERRNO(write(slave, "x", 1), EAGAIN);
    OK(tcflow(slave, TCOON));
    CHECK_EQ(write(slave, "x", 1), 1);
}

CASE(flush_discards_input)
{
    open_pair();
    CHECK_ECHO("abc\n", "abc\r\n");
    wait_for_input(4);
    OK(tcflush(slave, TCIFLUSH));
    int count;
    OK(ioctl(slave, FIONREAD, &count));
    CHECK_EQ(count, 0);
    CHECK_ERRNO(tcflush(slave, 77), EINVAL);
}

CASE(window_size)
{
    open_pair();
    struct winsize size = { 50, 132, 1, 2 }, got;
    OK(ioctl(master, TIOCSWINSZ, &size));
    OK(ioctl(slave, TIOCGWINSZ, &got));
    CHECK_EQ(got.ws_row, 50);
    CHECK_EQ(got.ws_col, 132);
    CHECK_EQ(got.ws_ypixel, 2);
    CHECK_ERRNO(ioctl(slave, TIOCSWINSZ, (void *)8), EFAULT);
}

CASE(packet_mode)
{
    open_pair();
    int on = 1;
    OK(ioctl(master, TIOCPKT, &on));
    OK(write(slave, "x", 1));
    char bytes[4];
    CHECK_EQ(read(master, bytes, sizeof bytes), 2);
    CHECK_EQ(bytes[0], TIOCPKT_DATA);
    change(0, 0, IXON, 0);
    struct pollfd fd = { master, POLLIN | POLLPRI, 0 };
    CHECK_EQ(poll(&fd, 1, 5000), 1);
    CHECK(fd.revents & POLLPRI);
    CHECK_EQ(read(master, bytes, sizeof bytes), 1);
    CHECK_EQ(bytes[0], TIOCPKT_NOSTOP);
}

CASE(last_slave_close_ends_the_master)
{
    open_pair();
    OK(write(slave, "x", 1));
    OK(close(slave));
    struct pollfd fd = { master, POLLIN, 0 };
    CHECK_EQ(poll(&fd, 1, 5000), 1);
    CHECK_EQ(fd.revents, POLLIN | POLLHUP);
    char byte;
    CHECK_EQ(read(master, &byte, 1), 1);
    CHECK_ERRNO(read(master, &byte, 1), EIO);
    slave = OK(open(ptsname(master), O_RDWR | O_NOCTTY));
    fd.revents = 0;
    CHECK_EQ(poll(&fd, 1, 0), 0);
}

CASE(master_close_hangs_up)
{
    open_pair();
    char name[64], byte;
    CHECK_CODE(ptsname_r(master, name, sizeof name), 0);
    OK(close(master));
    CHECK_EQ(read(slave, &byte, 1), 0);
    CHECK_ERRNO(write(slave, "x", 1), EIO);
    struct termios modes;
    CHECK_ERRNO(tcgetattr(slave, &modes), EIO);
    CHECK_ERRNO(open(name, O_RDWR), ENOENT);
    struct pollfd fd = { slave, POLLIN | POLLOUT, 0 };
    CHECK_EQ(poll(&fd, 1, 0), 1);
    CHECK_EQ(fd.revents, POLLIN | POLLOUT | POLLHUP | POLLERR);
}

CASE(no_controlling_terminal)
{
    pid_t child = conf_fork();
    if (child == 0) {
        setsid();
        CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
        _exit(0);
    }
    CHECK_EQ(wait_for(child), 0);
}

/* Runs the body in a child that leads a session with the terminal. */
static pid_t session(void (*body)(void))
{
    open_pair();
    pid_t child = conf_fork();
    if (child == 0) {
        OK(setsid());
        OK(ioctl(slave, TIOCSCTTY, 0));
        body();
        _exit(0);
    }
    return child;
}

static void check_groups(void)
{
    CHECK_EQ(tcgetpgrp(slave), getpid());
    CHECK_EQ(tcgetsid(slave), getpid());
    int tty = OK(open("/dev/tty", O_RDWR));
    CHECK_EQ(tcgetpgrp(tty), getpid());
    CHECK_ERRNO(tcsetpgrp(slave, getppid()), EPERM);
    CHECK_ERRNO(tcsetpgrp(slave, -1), EINVAL);
    pid_t job = conf_fork();
    if (job == 0) {
        pause();
        _exit(0);
    }
    OK(setpgid(job, job));
    OK(tcsetpgrp(slave, job));
    CHECK_EQ(tcgetpgrp(slave), job);
    OK(write(master, "\x03", 1));
    CHECK_EQ(wait_for(job), 128 + SIGINT);
    signal(SIGTTOU, SIG_IGN);
    OK(tcsetpgrp(slave, getpid()));
    signal(SIGHUP, SIG_IGN);
    OK(ioctl(slave, TIOCNOTTY));
    CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    CHECK_ERRNO(tcgetpgrp(slave), ENOTTY);
}

CASE(sessions_and_foreground_groups)
{
    CHECK_EQ(wait_for(session(check_groups)), 0);
}

static void check_stops(void)
{
    pid_t job = conf_fork();
    if (job == 0) {
        setpgid(0, 0);
        char byte;
        CHECK_EQ(read(slave, &byte, 1), 1);
        _exit(byte);
    }
    setpgid(job, job);
    int status;
    CHECK_EQ(OK(waitpid(job, &status, WUNTRACED)), job);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(WSTOPSIG(status), SIGTTIN);
    OK(tcsetpgrp(slave, job));
    OK(kill(-job, SIGCONT));
    CHECK_EQ(OK(waitpid(job, &status, WCONTINUED)), job);
    CHECK(WIFCONTINUED(status));
    OK(write(master, "\x1a", 1));
    CHECK_EQ(OK(waitpid(job, &status, WUNTRACED)), job);
    CHECK_EQ(WSTOPSIG(status), SIGTSTP);
    OK(kill(-job, SIGCONT));
    OK(write(master, "A\n", 2));
    CHECK_EQ(wait_for(job), 'A');
}

CASE(background_reads_and_suspend_stop_jobs)
{
    CHECK_EQ(wait_for(session(check_stops)), 0);
}

static void check_tostop(void)
{
    struct termios modes;
    OK(tcgetattr(slave, &modes));
    modes.c_lflag |= TOSTOP;
    OK(tcsetattr(slave, TCSANOW, &modes));
    pid_t job = conf_fork();
    if (job == 0) {
        setpgid(0, 0);
        CHECK_EQ(write(slave, "x", 1), 1);
        _exit(7);
    }
    setpgid(job, job);
    int status;
    CHECK_EQ(OK(waitpid(job, &status, WUNTRACED)), job);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(WSTOPSIG(status), SIGTTOU);
    OK(tcsetpgrp(slave, job));
    OK(kill(-job, SIGCONT));
    CHECK_EQ(wait_for(job), 7);
}

CASE(tostop_stops_background_writers)
{
    CHECK_EQ(wait_for(session(check_tostop)), 0);
}

static int report;

static void leave_stopped_job(void)
{
    pid_t job = conf_fork();
    if (job == 0) {
        setpgid(0, 0);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGSTOP);
        int signal;
        sigwait(&set, &signal);
        OK(write(report, "H", 1));
        _exit(0);
    }
    int status;
    setpgid(job, job);
    CHECK_EQ(OK(waitpid(job, &status, WUNTRACED)), job);
}

CASE(stopped_orphans_are_hung_up)
{
    int ends[2];
    OK(pipe(ends));
    report = ends[1];
    pid_t leader = session(leave_stopped_job);
    OK(close(ends[1]));
    CHECK_EQ(wait_for(leader), 0);
    char byte = 0;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(byte, 'H');
}

static void wait_for_hangup(void)
{
    OK(close(master));
    char byte;
    read(slave, &byte, 1);
    pause();
}

CASE(hangup_ends_the_session_leader)
{
    pid_t leader = session(wait_for_hangup);
    usleep(50000);
    OK(close(master));
    CHECK_EQ(wait_for(leader), 128 + SIGHUP);
}

static volatile sig_atomic_t resized;

static void on_resize(int signal)
{
    (void)signal;
    resized = 1;
}

static void check_resize(void)
{
    signal(SIGWINCH, on_resize);
    struct winsize size = { 10, 20, 0, 0 };
    OK(ioctl(slave, TIOCSWINSZ, &size));
    CHECK_EQ(resized, 1);
    resized = 0;
    OK(ioctl(slave, TIOCSWINSZ, &size));
    CHECK_EQ(resized, 0);
}

CASE(new_window_size_sends_SIGWINCH)
{
    CHECK_EQ(wait_for(session(check_resize)), 0);
}

CASE(open_without_NOCTTY_takes_the_terminal)
{
    open_pair();
    pid_t child = conf_fork();
    if (child == 0) {
        OK(setsid());
        OK(open(ptsname(master), O_RDWR));
        CHECK_EQ(tcgetsid(slave), getpid());
        OK(close(OK(open("/dev/tty", O_RDWR))));
        _exit(0);
    }
    CHECK_EQ(wait_for(child), 0);
}

CASE(long_lines_keep_their_end)
{
    open_pair();
    change(ECHO, 0, 0, 0);
    static char text[5000];
    memset(text, 'x', sizeof text);
    long done = 0;
    while (done < (long)sizeof text) done += OK(write(master, text + done, sizeof text - (size_t)done));
    OK(write(master, "\n", 1));
    const char *got = line();
    CHECK_EQ(strlen(got), 4096);
    CHECK_EQ(got[4095], '\n');
}
