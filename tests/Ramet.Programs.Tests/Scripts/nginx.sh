# image: servers
# run: --cpus 2
# nginx with two workers under wrk over loopback: IPv4, IPv6, large files, ranges, reload, quit.
chmod 755 .; mkdir -p html logs; echo "hello from nginx" > html/index.html; head -c 2000000 /dev/zero | tr '\0' x > html/large; chmod -R a+rX html
cat > nginx.conf <<X
worker_processes 2;
error_log $PWD/logs/error;
pid $PWD/nginx.pid;
events { worker_connections 256; }
http {
    access_log $PWD/logs/access;
    client_body_temp_path $PWD/body; proxy_temp_path $PWD/proxy; fastcgi_temp_path $PWD/fastcgi; uwsgi_temp_path $PWD/uwsgi; scgi_temp_path $PWD/scgi;
    sendfile on; tcp_nopush on; keepalive_timeout 10;
    server { listen 127.0.0.1:18080 reuseport; listen [::1]:18080; root $PWD/html; location /up/ { proxy_pass http://unix:$PWD/up.sock:/; } }
    server { listen unix:$PWD/up.sock; root $PWD/html; }
}
X
get() { exec 3<> /dev/tcp/$1/18080 && printf 'GET %s HTTP/1.0\r\n%s\r\n' "$2" "$3" >&3 && cat <&3; exec 3>&-; }
nginx -t -q -c $PWD/nginx.conf; echo "configuration: $?"; nginx -c $PWD/nginx.conf
get 127.0.0.1 / | tr -d '\r' | sed -n '1p;/^Content-Length/p;$p'; get ::1 /large | tail -c 2000000 | md5sum; get ::1 /large $'Range: bytes=10-19\r\n' | tail -1; echo; get 127.0.0.1 /absent | head -1 | tr -d '\r'; get 127.0.0.1 /up/ | tail -1
until [ $(ps -C nginx -ww -o args= | grep -c worker) = 2 ]; do sleep 0.05; done; ps -C nginx -ww -o args= | sort | uniq -c
wrk -t 2 -c 10 -d 2s http://127.0.0.1:18080/ > report; grep -ciE 'errors|Non-2xx' report; requests=$(awk '/requests in/ { print $1 }' report); [ $requests -ge 10 ] && echo "answered"
logged() { [ $(grep -c '"GET / HTTP/1.1" 200' logs/access) -ge $requests ]; }; for i in $(seq 100); do logged && break; sleep 0.1; done; logged && echo "logged"
wrk -t 1 -c 4 -d 1s http://127.0.0.1:18080/large > report; grep -ciE 'errors|Non-2xx' report
echo "hello again" > html/index.html; before=$(ps -C nginx -o pid= --sort pid | tail -1); nginx -s reload -c $PWD/nginx.conf; for i in $(seq 50); do kill -0 $before 2> /dev/null || break; sleep 0.1; done; kill -0 $before 2> /dev/null && echo "the old worker stays"; get 127.0.0.1 / | tail -1
nginx -s quit -c $PWD/nginx.conf; for i in $(seq 100); do pgrep nginx > /dev/null || break; sleep 0.1; done; ps -C nginx -o args=; grep -vE 'notice|absent' logs/error; (get 127.0.0.1 /) 2>&1 | grep -q refused && echo refused
#> configuration: 0
#> HTTP/1.1 200 OK
#> Content-Length: 17
#> hello from nginx
#> 939ee55a36872cb4222e09cced62a7b5  -
#> xxxxxxxxxx
#> HTTP/1.1 404 Not Found
#> hello from nginx
#>       1 nginx: master process ngin
#>       2 nginx: worker process
#> 0
#> answered
#> logged
#> 0
#> hello again
#> refused
