/* Prints who it is, and with what rights. */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
    uid_t uid[3];
    gid_t gid[3];
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = { 0 };
    getresuid(&uid[0], &uid[1], &uid[2]);
    getresgid(&gid[0], &gid[1], &gid[2]);
    syscall(SYS_capget, &header, data);
    printf("uid %u %u %u\n", uid[0], uid[1], uid[2]);
    printf("gid %u %u %u\n", gid[0], gid[1], gid[2]);
    printf("secure %lu\n", getauxval(AT_SECURE));
    printf("dumpable %d\n", prctl(PR_GET_DUMPABLE) == 1);
    printf("effective %d\n", data[0].effective >> CAP_CHOWN & 1);
    printf("capabilities %x %x\n", data[0].permitted, data[0].effective);
    return 0;
}
