// Goroutines, channels, timers, processes, files, and net/http over loopback.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func expect[T comparable](got, want T, what string) {
	if got != want {
		panic(fmt.Sprintf("%s: got %v, want %v", what, got, want))
	}
}

func goroutines() {
	const workers, each = 100, 1000
	var total int64
	var group sync.WaitGroup
	var lock sync.Mutex
	seen := map[int]bool{}
	numbers := make(chan int, 16)
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := range numbers {
				atomic.AddInt64(&total, int64(n))
				lock.Lock()
				seen[n] = true
				lock.Unlock()
			}
		}()
	}
	for n := 0; n < workers*each; n++ {
		numbers <- n
	}
	close(numbers)
	group.Wait()
	expect(total, int64(workers*each)*(workers*each-1)/2, "sum")
	expect(len(seen), workers*each, "seen")

	// A loop without calls is preempted by a signal.
	runtime.GOMAXPROCS(1)
	var stop int32
	go func() {
		for atomic.LoadInt32(&stop) == 0 {
		}
	}()
	time.Sleep(20 * time.Millisecond)
	atomic.StoreInt32(&stop, 1)
	runtime.GOMAXPROCS(runtime.NumCPU())

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	began := time.Now()
	<-ctx.Done()
	if waited := time.Since(began); waited < 29*time.Millisecond {
		panic(waited)
	}
	// Threads blocked in system calls.
	for i := 0; i < 20; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			check(syscall.Nanosleep(&syscall.Timespec{Nsec: 5e6}, nil))
		}()
	}
	group.Wait()
	garbage := 0
	for i := 0; i < 200_000; i++ {
		garbage += len(make([]byte, 1000+i%10))
	}
	runtime.GC()
	fmt.Println("goroutines ok")
}

func web() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	mux := http.NewServeMux()
	mux.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		var numbers []int
		check(json.NewDecoder(r.Body).Decode(&numbers))
		sum := 0
		for _, n := range numbers {
			sum += n
		}
		fmt.Fprint(w, sum)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) { io.CopyN(w, zeros{}, 3_000_000) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := &http.Server{Handler: mux}
	go server.Serve(listener)
	base := "http://" + listener.Addr().String()
	var group sync.WaitGroup
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			body, _ := json.Marshal([]int{i, i})
			response, err := http.Post(base+"/sum", "application/json", bytes.NewReader(body))
			check(err)
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			check(err)
			expect(string(text), fmt.Sprint(2*i), "answer")
		}(i)
	}
	group.Wait()
	response, err := http.Get(base + "/large")
	check(err)
	hash := sha256.New()
	count, err := io.Copy(hash, response.Body)
	check(err)
	expect(count, int64(3_000_000), "length")
	client := http.Client{Timeout: 50 * time.Millisecond}
	_, err = client.Get(base + "/slow")
	if !os.IsTimeout(err) {
		panic(err)
	}
	check(server.Shutdown(context.Background()))
	_, err = net.Dial("tcp", listener.Addr().String())
	if !errors.Is(err, syscall.ECONNREFUSED) {
		panic(err)
	}
	self, err := os.Hostname()
	check(err)
	found, err := net.LookupHost(self)
	check(err)
	expect(found[0], "127.0.1.1", "own name")
	addresses, err := net.LookupHost("localhost")
	check(err)
	if len(addresses) == 0 {
		panic("localhost")
	}
	fmt.Println("net/http ok")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func processes() {
	command := exec.Command("sort")
	command.Stdin = bytes.NewBufferString("b\na\n")
	output, err := command.Output()
	check(err)
	expect(string(output), "a\nb\n", "sort")
	err = exec.Command("sh", "-c", "exit 3").Run()
	expect(err.(*exec.ExitError).ExitCode(), 3, "exit code")
	ctx, cancel := context.WithCancel(context.Background())
	command = exec.CommandContext(ctx, "sleep", "100")
	check(command.Start())
	cancel()
	expect(command.Wait().Error(), "signal: killed", "cancellation")
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	check(syscall.Kill(os.Getpid(), syscall.SIGUSR1))
	expect((<-signals).String(), "user defined signal 1", "signal")
	folder, err := os.MkdirTemp("", "go")
	check(err)
	for i := 0; i < 100; i++ {
		check(os.WriteFile(filepath.Join(folder, fmt.Sprint(i)), []byte{byte(i)}, 0o644))
	}
	files := 0
	check(filepath.WalkDir(folder, func(string, os.DirEntry, error) error { files++; return nil }))
	expect(files, 101, "files")
	check(os.RemoveAll(folder))
	defer func() {
		if recover() == nil {
			panic("no fault")
		}
		fmt.Println("processes ok")
	}()
	var nothing *struct{ a int }
	nothing.a = 1 // SIGSEGV becomes a panic.
}

func main() {
	goroutines()
	web()
	processes()
}
