# Ruby: threads, fibers, processes, sockets, garbage collection.
require "json"
require "open3"
require "socket"
require "tempfile"
require "timeout"

def check(right, what) = right || raise(what)

queue = Queue.new
workers = 4.times.map { Thread.new { 100.times { |n| queue << n } } }
workers.each(&:join)
check(queue.size == 400, "queue")
lock, total = Mutex.new, 0
8.times.map { Thread.new { 500.times { lock.synchronize { total += 1 } } } }.each(&:join)
check(total == 4000, "mutex")
fiber = Fiber.new { Fiber.yield 1; 2 }
check([fiber.resume, fiber.resume] == [1, 2], "fiber")
begin
  Timeout.timeout(0.05) { sleep 60 }
  raise "no timeout"
rescue Timeout::Error
end
reader, writer = IO.pipe
pid = fork { reader.close; writer.puts JSON.dump(from: "child"); exit! 6 }
writer.close
check(JSON.parse(reader.read) == { "from" => "child" }, "pipe")
Process.wait(pid)
check($?.exitstatus == 6, "status")
output, error, status = Open3.capture3("sh", "-c", "cat; echo error >&2; exit 2", stdin_data: "in")
check([output, error, status.exitstatus] == ["in", "error\n", 2], "open3")
server = TCPServer.new("127.0.0.1", 0)
thread = Thread.new { 10.times { client = server.accept; client.puts client.gets.upcase; client.close } }
answers = 10.times.map { |n| Thread.new { TCPSocket.open("127.0.0.1", server.addr[1]) { |s| s.puts "hello #{n}"; s.gets } } }.map(&:value)
thread.join
check(answers.sort == 10.times.map { |n| "HELLO #{n}\n" }, "sockets")
caught = Queue.new
trap("USR1") { caught << 1 }
Process.kill("USR1", Process.pid)
check(Timeout.timeout(10) { caught.pop } == 1, "trap")
Tempfile.create("ruby") { |file| file.write("x" * 100_000); file.flush; check(File.size(file.path) == 100_000 && file.flock(File::LOCK_EX | File::LOCK_NB) == 0, "file") }
strings = Array.new(200_000) { |n| "string #{n}" }
GC.start
check(strings.sum(&:size) == 2_488_890, "garbage collection #{strings.sum(&:size)}")
puts "ruby ok"
