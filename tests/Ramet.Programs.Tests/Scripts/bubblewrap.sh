# image: shell
# run: --cpus 2
# bubblewrap boxes a program into mounts of its own; namespaces that a sandbox does not have are refused in one line.
bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /work sh -c 'touch /etc/x 2>&1; touch /work/inside && ls /work; ls -d /dev/null /dev/pts /dev/shm; exit 4'; echo "code: $?"; ls /work
bwrap --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dir /tmp --file 11 /note bash -c 'ls / | paste -sd" "; cat /note; pwd' 11< <(echo noted)
bwrap --unshare-uts --hostname boxed --ro-bind / / hostname; [ "$(hostname)" != boxed ] && echo "outside it has its own"
bwrap --bind / / --chdir /etc --setenv A b --unsetenv HOME --die-with-parent --new-session sh -c 'pwd; echo "$A$HOME"'
bwrap --unshare-user-try --unshare-cgroup-try --ro-bind / / echo "those that there are"
for kind in user pid net ipc; do bwrap --unshare-$kind --ro-bind / / true 2> err; echo "$kind: $? $(wc -l < err)"; unshare --$kind true 2> err; echo "$(cat err)"; done
unshare --mount sh -c 'mount -t tmpfs none /mnt && touch /mnt/here && ls /mnt'; ls /mnt | wc -l
readlink /proc/self/ns/mnt | tr -d 0-9; [ "$(readlink /proc/self/ns/mnt)" != "$(unshare -m readlink /proc/self/ns/mnt)" ] && echo "another one"
unshare --uts sh -c 'hostname inner; exec sleep 100' & box=$!; until [ "$(cat /proc/$box/comm)" = sleep ]; do sleep 0.02; done; nsenter --uts=/proc/$box/ns/uts true 2> /dev/null; echo "$?"; kill $box; wait
#> touch: cannot touch '/etc/x': Read-only file system
#> inside
#> /dev/null
#> /dev/pts
#> /dev/shm
#> code: 4
#> bin lib lib64 note proc tmp usr
#> noted
#> /
#> boxed
#> outside it has its own
#> /etc
#> b
#> those that there are
#> user: 1 1
#> unshare: unshare failed: Operation not permitted
#> pid: 1 1
#> unshare: unshare failed: Operation not permitted
#> net: 1 1
#> unshare: unshare failed: Operation not permitted
#> ipc: 1 1
#> unshare: unshare failed: Operation not permitted
#> here
#> 0
#> mnt:[]
#> another one
#> 0
