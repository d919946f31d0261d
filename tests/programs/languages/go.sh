# Builds, runs and tests with the Go tools.
set -e
export HOME=/tmp/home GOFLAGS=-mod=mod GOPROXY=off GO111MODULE=on CGO_ENABLED=0
mkdir -p $HOME
go version | cut -d' ' -f3 | cut -d. -f1,2
go build -o /tmp/program .
/tmp/program
go vet .
go test . | cut -f1,2
