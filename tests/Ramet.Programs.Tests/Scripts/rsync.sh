# image: shell
# rsync between folders, and with a daemon over loopback.
mkdir -p from/sub; for i in $(seq 1 200); do echo "file $i" > from/sub/f$i; done; ln -s sub/f1 from/link; head -c 500000 /dev/zero > from/big
# rsync sees what was changed by whole seconds: what is changed below is to be later than this.
find from -exec touch -h -d @1000000000 {} +
rsync -a --stats from/ to/ | grep -E 'Number of (regular files transferred|created)'; diff -r from to && echo "the same"
echo changed > from/sub/f7; rm from/sub/f9; touch -d @1 from/sub/f8; rsync -ai --delete from/ to/ | sort
printf x | dd of=from/big bs=1 seek=300000 conv=notrunc status=none; rsync -a --no-whole-file --stats from/ to/ | grep -E '^(Literal|Matched) data'; cmp from/big to/big && echo "delta"
rsync -an --exclude 'sub/*' --out-format=%n from/ other/ | sort
cat > rsyncd.conf <<X
port = 18730
address = 127.0.0.1
use chroot = no
uid = $(id -u)
gid = $(id -g)
pid file = $PWD/rsyncd.pid
[data]
path = $PWD/from
X
rsync --daemon --config=rsyncd.conf; for i in $(seq 100); do (exec 3<> /dev/tcp/127.0.0.1/18730) 2> /dev/null && break; sleep 0.05; done
rsync rsync://127.0.0.1:18730/; rsync -az rsync://127.0.0.1:18730/data/ fetched/; diff -r from fetched && echo "fetched"
rsync -a rsync://127.0.0.1:18730/nothing x 2>&1 | head -1
kill $(cat rsyncd.pid)
#> Number of created files: 204 (reg: 201, dir: 2, link: 1)
#> Number of regular files transferred: 201
#> the same
#> *deleting   sub/f9
#> .d..t...... sub/
#> >f..t...... sub/f8
#> >f.st...... sub/f7
#> Literal data: 160 bytes
#> Matched data: 499,840 bytes
#> delta
#> ./
#> big
#> link
#> sub/
#> data           	
#> fetched
#> @ERROR: Unknown module 'nothing'
