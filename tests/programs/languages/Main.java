import java.io.*;
import java.net.*;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

/** Threads, locks, pools, garbage collection, files, processes and HTTP over loopback. */
public class Main {
    static void check(boolean right, String what) {
        if (!right) throw new AssertionError(what);
    }

    static void threads() throws Exception {
        var total = new AtomicLong();
        var plain = new long[1];
        var threads = new ArrayList<Thread>();
        for (int i = 0; i < 8; i++) {
            var thread = new Thread(() -> {
                for (int n = 0; n < 20_000; n++) {
                    total.incrementAndGet();
                    synchronized (plain) { plain[0]++; }
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (var thread : threads) thread.join();
        check(total.get() == 160_000 && plain[0] == 160_000, "counts");
        var pool = Executors.newFixedThreadPool(4);
        var futures = IntStream.range(0, 100).mapToObj(n -> pool.submit(() -> n * n)).collect(Collectors.toList());
        long sum = 0;
        for (var future : futures) sum += future.get();
        check(sum == 328350, "squares");
        pool.shutdown();
        check(pool.awaitTermination(60, TimeUnit.SECONDS), "pool");
        check(IntStream.range(0, 1_000_000).parallel().filter(n -> n % 3 == 0).count() == 333_334, "parallel");
        var queue = new SynchronousQueue<String>();
        new Thread(() -> { try { queue.put("handed over"); } catch (InterruptedException e) { } }).start();
        check(queue.poll(60, TimeUnit.SECONDS).equals("handed over"), "queue");
        var sleeper = new Thread(() -> { try { Thread.sleep(60_000); } catch (InterruptedException e) { total.set(-1); } });
        sleeper.start();
        sleeper.interrupt();
        sleeper.join();
        check(total.get() == -1, "interrupt");
        var late = CompletableFuture.supplyAsync(() -> 5, CompletableFuture.delayedExecutor(20, TimeUnit.MILLISECONDS)).thenApply(n -> n + 1);
        check(late.get(60, TimeUnit.SECONDS) == 6, "future");
        System.out.println("threads ok");
    }

    static void memory() {
        var kept = new ArrayDeque<byte[]>();
        for (int i = 0; i < 20_000; i++) {
            kept.add(new byte[10_000]);
            if (kept.size() > 1000) kept.remove();
        }
        check(kept.size() == 1000, "kept");
        int[] depth = new int[1];
        try {
            deeper(depth);
        } catch (StackOverflowError e) {
            check(depth[0] > 1000, "depth");
        }
        try {
            Object nothing = depth[0] > 0 ? null : "";
            nothing.hashCode();
            check(false, "null");
        } catch (NullPointerException e) {
            // SIGSEGV or a check, as the compiler likes.
        }
        System.out.println("memory ok");
    }

    static void deeper(int[] depth) {
        depth[0]++;
        deeper(depth);
    }

    static void outside() throws Exception {
        var folder = Files.createTempDirectory("java");
        var file = folder.resolve("data");
        Files.writeString(file, "line\n".repeat(50_000));
        try (var channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            var mapped = channel.map(FileChannel.MapMode.READ_WRITE, 0, channel.size());
            mapped.put(0, (byte) 'L');
            mapped.force();
            check(channel.tryLock() != null, "lock");
        }
        try (var lines = Files.lines(file)) {
            check(lines.filter(line -> line.equals("line")).count() == 49_999, "lines");
        }
        var process = new ProcessBuilder("sh", "-c", "cat; exit 4").redirectErrorStream(true).start();
        process.getOutputStream().write("to a child".getBytes());
        process.getOutputStream().close();
        check(new String(process.getInputStream().readAllBytes()).equals("to a child") && process.waitFor() == 4, "process");
        var server = com.sun.net.httpserver.HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(200, 0);
            try (var out = exchange.getResponseBody()) { out.write(String.valueOf(body.length).getBytes()); }
        });
        server.setExecutor(Executors.newCachedThreadPool());
        server.start();
        var client = java.net.http.HttpClient.newHttpClient();
        var uri = URI.create("http://" + InetAddress.getLoopbackAddress().getHostAddress() + ":" + server.getAddress().getPort() + "/");
        var answers = IntStream.range(0, 20).mapToObj(n -> client.sendAsync(
            java.net.http.HttpRequest.newBuilder(uri).POST(java.net.http.HttpRequest.BodyPublishers.ofString("x".repeat(n))).build(),
            java.net.http.HttpResponse.BodyHandlers.ofString())).collect(Collectors.toList());
        for (int n = 0; n < 20; n++) check(answers.get(n).get().body().equals(String.valueOf(n)), "answer");
        server.stop(0);
        var self = InetAddress.getLocalHost();
        check(self.isLoopbackAddress() && InetAddress.getByName(self.getHostName()).equals(self), "local host");
        System.out.println("outside ok");
    }

    public static void main(String[] arguments) throws Exception {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("shutdown hook ok")));
        threads();
        memory();
        outside();
        System.exit(arguments.length);
    }
}
