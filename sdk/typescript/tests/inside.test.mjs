import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { BadRequestError, CodeError, ConflictError, NotFoundError, Sandbox, StorageFullError } from "ramet";
import { download, upload } from "ramet/node";
import { Sandbox as Zeroboot } from "ramet/zeroboot";

const sandbox = await Sandbox.create({ language: "python", memoryMb: 192 });
const { files, commands } = sandbox;
after(() => sandbox.close());

test("files are written, read, listed, moved and removed", async () => {
  await files.write("d/a b&c.txt", "hallå", { mode: 0o755 });
  await files.write("d/bytes", new Uint8Array([0, 255]));
  assert.equal(await files.readText("d/a b&c.txt"), "hallå");
  assert.deepEqual([...(await files.read("d/bytes"))], [0, 255]);
  assert.deepEqual((await files.list("d")).map((one) => one.name), ["a b&c.txt", "bytes"]);
  const status = await files.stat("d/a b&c.txt");
  assert.deepEqual([status.type, status.size, status.mode, status.modified instanceof Date], ["file", 6, 0o755, true]);
  await files.mkdir("d/x/y");
  await assert.rejects(files.mkdir("d/x/y", { parents: false }), ConflictError);
  await files.move("d/bytes", "d/x/y/moved");
  assert.deepEqual([await files.exists("d/x/y/moved"), await files.exists("d/bytes")], [true, false]);
  await assert.rejects(files.remove("d"), ConflictError);
  await files.remove("d", { recursive: true });
  await assert.rejects(files.read("d/a b&c.txt"), NotFoundError);
});

test("streams and blobs become files, and too much is an error that says so", async () => {
  const zeros = (count) => {
    let left = count;
    return new ReadableStream({ pull: (controller) => (left-- > 0 ? controller.enqueue(new Uint8Array(1 << 20)) : controller.close()) });
  };
  await files.write("/tmp/stream", zeros(20));
  assert.equal((await files.stat("/tmp/stream")).size, 20 << 20);
  let size = 0;
  for await (const piece of await files.readStream("/tmp/stream")) size += piece.length;
  assert.equal(size, 20 << 20);
  await files.remove("/tmp/stream");
  await files.write("/tmp/blob", new Blob(["blob"]));
  assert.equal(await files.readText("/tmp/blob"), "blob");
  await assert.rejects(files.write("/tmp/huge", new Blob([new Uint8Array(250 << 20)])), StorageFullError);
  await files.remove("/tmp/huge");
});

test("folders go up and come down, and archives too", async () => {
  const local = await mkdtemp(join(tmpdir(), "ramet-sdk-"));
  try {
    await mkdir(join(local, "up/sub/empty"), { recursive: true });
    await writeFile(join(local, "up/sub/run.sh"), "echo ran");
    await chmod(join(local, "up/sub/run.sh"), 0o755);
    await writeFile(join(local, "up/none"), "");
    await upload(sandbox, join(local, "up"), "/srv/up");
    assert.equal((await commands.run("test -x /srv/up/sub/run.sh && sh /srv/up/sub/run.sh")).check().stdout, "ran\n");
    await commands.run("ln -s /etc/passwd /srv/up/link; mkfifo /srv/up/pipe");
    await download(sandbox, "/srv/up", join(local, "down"));
    assert.equal(await readFile(join(local, "down/sub/run.sh"), "utf8"), "echo ran");
    assert.ok((await stat(join(local, "down/sub/empty"))).isDirectory());
    await assert.rejects(stat(join(local, "down/link")));
    await files.uploadArchive("/srv/again", await files.downloadArchive("/srv/up/sub"));
    assert.equal(await files.readText("/srv/again/run.sh"), "echo ran");
  } finally {
    await rm(local, { recursive: true });
  }
});

test("changes are told as they happen", async () => {
  await files.mkdir("w/deep");
  const changes = await files.watch("w", { recursive: true, signal: AbortSignal.timeout(60000) });
  await files.write("w/deep/f", "x");
  await files.remove("w/deep/f");
  const seen = [];
  for await (const change of changes) {
    seen.push(`${change.kind} ${change.path} ${change.isDirectory}`);
    if (change.kind === "removed") break;
  }
  assert.ok(seen.includes("created w/deep/f false"), seen.join());
  assert.equal(seen.at(-1), "removed w/deep/f false");
  await assert.rejects(files.watch("nowhere"), NotFoundError);
});

test("a command gets what it is given, and its result is told", async () => {
  const pieces = [];
  const result = await commands.run("id -un; pwd; echo $WHO; cat; echo err >&2; exit 3", {
    env: { WHO: "ö" }, cwd: "/tmp", user: "nobody", stdin: "in\n", onStdout: (text) => pieces.push(text),
  });
  assert.deepEqual([result.stdout, result.stderr, result.exitCode, pieces.join("")], ["nobody\n/tmp\nö\nin\n", "err\n", 3, result.stdout]);
  assert.throws(() => result.check(), CodeError);
  assert.equal(String((await commands.run(["echo", "a b"])).check()), "a b");
  const late = await commands.run("echo begun; sleep 100", { timeoutSeconds: 2 });
  assert.deepEqual([late.timedOut, late.exitCode, late.stdout], [true, 124, "begun\n"]);
});

test("a process is fed, attached to, signalled and waited for", async () => {
  const cat = await commands.start(["cat"], { keepStdin: true });
  await cat.sendStdin("one\n");
  await assert.rejects(cat.wait({ signal: AbortSignal.timeout(300) }));
  const again = await commands.attach(cat.pid);
  await again.sendStdin(new TextEncoder().encode("two\n"));
  await again.closeStdin();
  assert.equal((await cat.wait()).stdout, "one\ntwo\n");
  let kept = "";
  for await (const piece of again.output()) kept += piece.text;
  assert.equal(kept, "one\ntwo\n");
  assert.deepEqual([(await again.info()).running, (await commands.list()).some((one) => one.pid === cat.pid)], [false, true]);
  const sleep = await commands.start("sleep 100");
  assert.ok(await sleep.kill("TERM"));
  assert.equal((await sleep.wait()).exitCode, 143);
  assert.equal(await sleep.kill(9), false);
  await assert.rejects(commands.start(["/no/such"]), BadRequestError);
  await assert.rejects(commands.attach(99999), NotFoundError);
});

test("aborting a command kills it", async () => {
  const isRunning = async () => (await commands.list()).some((one) => one.running && one.command.join(" ").includes("sleep 1000"));
  const abort = new AbortController();
  let wasRunning = false;
  // Begun for certain.
  const onStdout = async () => {
    wasRunning = await isRunning();
    abort.abort();
  };
  await assert.rejects(commands.run("echo begun; sleep 1000", { signal: abort.signal, onStdout }), { name: "AbortError" });
  assert.ok(wasRunning);
  for (let tries = 0; tries < 100; tries++) {
    if (!(await isRunning())) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.fail("The command runs still.");
});

test("a terminal has a size", async () => {
  const shell = await commands.start(["/bin/sh"], { tty: { rows: 30, columns: 100 } });
  await shell.resize(41, 123);
  await shell.sendStdin("test -t 0 && stty size; exit 4\n");
  const result = await shell.wait();
  assert.equal(result.exitCode, 4);
  assert.match(result.stdout, /41 123/);
});

test("programs for zeroboot run with another import and address", async () => {
  const sb = new Zeroboot("zb_live_your_api_key", process.env.RAMET_URL + "/");
  const result = await sb.run("print(1 + 1)");
  assert.deepEqual([result.stdout, result.stderr, result.exit_code], ["2\n", "", 0]);
  assert.ok(result.id && result.exec_time_ms > 0 && result.fork_time_ms >= 0 && result.total_time_ms >= result.exec_time_ms);
  assert.equal((await sb.run("console.log(2 + 1)", { language: "node" })).stdout, "3\n");
  assert.deepEqual((await sb.runBatch(["print(1)", "print(2)"], { timeout: 10 })).map((one) => one.stdout), ["1\n", "2\n"]);
  await assert.rejects(sb.run("1", { language: "cobol" }), /API error \(400\): .*cobol/);
});

test("sandboxes are forked, paused, saved, rewound and compared", async () => {
  const parent = await Sandbox.create({ language: "python", env: { WHO: "me" }, cwd: "/tmp" });
  const ended = [parent];
  try {
    assert.equal((await parent.run("import os; x = 1; (os.environ['WHO'], os.getcwd())")).value, "('me', '/tmp')");
    const forks = await parent.fork(2, { metadata: { kind: "fork" } });
    ended.push(...forks);
    await Promise.all(forks.map((fork, n) => fork.run(`x = ${n + 5}`)));
    assert.deepEqual(await Promise.all([...forks, parent].map(async (one) => (await one.run("x")).value)), ["5", "6", "1"]);
    assert.equal((await forks[0].info()).parent, parent.id);
    assert.equal((await parent.pause()).state, "paused");
    assert.equal((await parent.resume()).state, "running");
    const moment = await parent.checkpoint("before");
    await parent.run("x = 2; open('/tmp/g', 'w').write('two')");
    assert.ok((await parent.diff({ from: moment })).files.some((one) => one.path === "/tmp/g" && one.change === "added"));
    await parent.rewind(moment);
    assert.equal((await parent.run("x")).value, "1");
    assert.deepEqual((await parent.checkpoints()).map((one) => one.name), ["before"]);
    await parent.deleteCheckpoint(moment);
    const saved = await parent.snapshot("prepared");
    const again = await Sandbox.create({ snapshot: saved });
    ended.push(again);
    assert.equal((await again.run("x")).value, "1");
    assert.ok((await parent.client.snapshots()).some((one) => one.id === saved.id && one.sizeBytes > 0));
    await parent.client.deleteSnapshot(saved);
    assert.ok((await parent.metrics()).runs >= 3);
    assert.ok((await parent.logs()).events.some((one) => one.event === "snapshot" && one.time instanceof Date));
  } finally {
    await Promise.all(ended.map((one) => one.close()));
  }
});
