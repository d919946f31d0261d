# image: servers
# run: --cpus 2
# redis-server under its own benchmark client over loopback; a background save forks; a killed server has its append-only file.
start() { redis-server --port 16379 --bind 127.0.0.1 ::1 --daemonize yes --dir "$PWD" --save '' --appendonly yes --appendfsync everysec --logfile "$PWD/log" > /dev/null
    for i in $(seq 100); do [ "$(cli ping 2> /dev/null)" = PONG ] && return; sleep 0.05; done; echo "no answer"; cat log; }
cli() { redis-cli -p 16379 "$@"; }
start
cli set key value; cli get key; cli incrby n 41; cli incr n; cli rpush list a b c; cli lrange list 0 -1; cli eval 'return redis.call("get", "key")' 0; redis-cli -h ::1 -p 16379 ping
redis-cli -h 127.0.0.1 -p 16379 --csv subscribe channel > told & until cli pubsub numsub channel | grep -qx 1; do sleep 0.05; done
cli publish channel message > published; until grep -q '"message"' told; do sleep 0.05; done; kill $!; sort told published
for i in 1 2 3; do (for k in $(seq 20); do echo "incr counter"; done | cli > /dev/null) & done; wait; cli get counter
redis-benchmark -p 16379 -n 2000 -c 20 -t ping_inline,set,get,lpush -q | tr '\r' '\n' | grep -c 'requests per second'
redis-benchmark -p 16379 -n 20000 -c 20 -P 16 -t set,get --csv | tail -n +2 | awk -F'"' '$4 > 1000 { print $2 " at more than 1,000 requests per second" }'
cli bgsave; for i in $(seq 100); do cli info persistence | grep -q 'rdb_bgsave_in_progress:0' && break; sleep 0.05; done; cli info persistence | grep -o 'rdb_last_bgsave_status:ok'; redis-check-rdb dump.rdb | grep -c 'RDB looks OK'
cli set last written; sleep 1.2; server=$(cli info server | sed -n 's/^process_id:\([0-9]*\).*/\1/p'); kill -9 $server; while kill -0 $server 2> /dev/null; do sleep 0.02; done; cli ping 2>&1
start; cli get last; cli get n; cli client no-evict on; cli shutdown; sleep 0.3; cli ping 2>&1 | grep -c refused
#> OK
#> value
#> 41
#> 42
#> 3
#> a
#> b
#> c
#> value
#> PONG
#> "message","channel","message"
#> "subscribe","channel",1
#> 1
#> Reading messages... (press Ctrl-C to quit)
#> 60
#> 4
#> SET at more than 1,000 requests per second
#> GET at more than 1,000 requests per second
#> Background saving started
#> rdb_last_bgsave_status:ok
#> 1
#> OK
#> Could not connect to Redis at 127.0.0.1:16379: Connection refused
#> written
#> 42
#> OK
#> 1
