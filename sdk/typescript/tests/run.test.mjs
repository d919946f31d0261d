import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { ApiError, BadRequestError, Client, CodeError, ConflictError, exec, execBatch, NotFoundError, RametError, RateLimitError, Sandbox, TransportError } from "ramet";
import { scripted, answer } from "./scripted.mjs";

test("the shortest use runs JavaScript and prints what it prints", async () => {
  const code = 'import { Sandbox } from "ramet"; console.log(String(await new Sandbox().run("console.log(1+1)")));';
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", code]);
  assert.equal(stdout, "2\n");
});

test("code runs in a fork of its own, with input, arguments, environment and files", async () => {
  const result = await exec("console.log(1 + 1); console.error('e')");
  assert.deepEqual([String(result), result.stdout, result.stderr, result.exitCode, result.ok], ["2", "2\n", "e\n", 0, true]);
  assert.ok(result.totalTimeMs > 0);
  const python = await exec("import sys, os\nprint(input(), sys.argv[1:], os.environ['WHO'], open('a/b').read(), open('/tmp/c', 'rb').read())", {
    language: "python", stdin: "in", args: ["ö"], env: { WHO: "me" }, files: { "a/b": "text", "/tmp/c": new Uint8Array([255, 0]) },
  });
  assert.equal(python.check().stdout, "in ['ö'] me text b'\\xff\\x00'\n");
  const late = await exec("console.log('so far'); for (;;);", { timeoutSeconds: 2 });
  assert.deepEqual([late.timedOut, late.exitCode, late.stdout], [true, 124, "so far\n"]);
  assert.throws(() => late.check(), CodeError);
  assert.deepEqual([...(await exec("import os; os.write(1, b'\\xff\\n')", { language: "python" })).stdoutBytes], [255, 10]);
});

test("output of a fork is told as it is printed", async () => {
  const pieces = [], errors = [];
  const result = await exec("console.log('é'); console.error('e'); setTimeout(() => { console.log('later'); process.exitCode = 3; }, 300)", {
    onStdout: (text) => pieces.push(text), onStderr: async (text) => errors.push(text),
  });
  assert.deepEqual([result.stdout, result.stderr, result.output, result.exitCode, errors.join("")], ["é\nlater\n", "e\n", "é\nlater\ne\n", 3, "e\n"]);
  assert.equal(pieces.join(""), "é\nlater\n");
  // That it is told while the code runs is what ends the code.
  await assert.rejects(exec("console.log('go'); for (;;);", { onStdout: (text) => { throw new RangeError(text); }, timeoutSeconds: 600 }), { name: "RangeError", message: "go\n" });
});

test("code that may take long is streamed without being asked, and nothing of its output is lost", async () => {
  const accepted = [];
  const client = new Client({ fetch: (url, init) => (accepted.push(init.headers.Accept), fetch(url, init)) });
  const code = "import os, sys; os.write(1, b'\\xef\\xbb\\xbf\\xff\\n'); sys.stderr.write('\u00e9'); sys.exit(3)";
  const [long, short] = [await client.exec(code, { language: "python", timeoutSeconds: 300 }), await client.exec(code, { language: "python" })];
  assert.deepEqual(accepted, ["text/event-stream", "application/json"]);
  assert.deepEqual([...long.stdoutBytes], [0xef, 0xbb, 0xbf, 255, 10]);
  for (const name of ["stdout", "stderr", "output", "exitCode", "stdoutBase64", "stderrBase64", "timedOut"]) assert.deepEqual(long[name], short[name], name);
});

test("a streamed run whose sandbox is paused says so", async () => {
  const sandbox = new Sandbox();
  try {
    const running = sandbox.run("console.log('begun'); for (;;);", { timeoutSeconds: 250, onStdout: () => sandbox.pause() });
    await assert.rejects(running, (error) => error instanceof ConflictError && error.status === 409 && /paused/.test(error.detail) && !!error.requestId);
  } finally {
    await sandbox.delete();
  }
});

test("a template is made of a sandbox, listed, used and removed", async () => {
  const sandbox = new Sandbox();
  try {
    await sandbox.run("const shared = 40");
    assert.equal((await sandbox.saveTemplate("typescript-sdk")).from, "node");
    assert.equal(String(await exec("console.log(shared + 2)", { template: "typescript-sdk" })), "42");
    const names = (await sandbox.client.templates()).map((one) => one.name);
    for (const name of ["python", "node", "typescript-sdk"]) assert.ok(names.includes(name), name);
    await sandbox.client.deleteTemplate("typescript-sdk");
    await assert.rejects(sandbox.client.deleteTemplate("typescript-sdk"), NotFoundError);
  } finally {
    await sandbox.close();
  }
});

test("a batch keeps its order", async () => {
  const codes = Array.from({ length: 10 }, (_, n) => `console.log(${n} ** 2)`);
  const results = await execBatch([...codes, { code: "print(input())", language: "python", stdin: "own\n" }], { timeoutSeconds: 20 });
  assert.deepEqual(results.map(String), [...codes.keys()].map((n) => String(n ** 2)).concat("own"));
});

test("names stay, the last expression is the value, and an exception leaves the sandbox alive", async () => {
  const sandbox = new Sandbox();
  try {
    assert.equal(sandbox.id, undefined);
    await sandbox.run("let x = 40");
    const result = await sandbox.run("console.log('hi'); x + 2");
    assert.deepEqual([String(result), result.value], ["hi", "42"]);
    const failed = await sandbox.run("throw new TypeError('no')");
    assert.equal(failed.exitCode, 1);
    assert.match(failed.stderr, /TypeError: no/);
    assert.deepEqual([failed.exception.type, failed.exception.text], ["TypeError", "no"]);
    assert.match(failed.exception.stack, /at \[eval\]:1:7/);
    const late = await sandbox.run("await new Promise((r) => setTimeout(r, 5)); for (;;);", { timeoutSeconds: 0.5 });
    assert.ok(late.timedOut);
    assert.throws(() => failed.check(), /TypeError: no/);
    assert.equal((await sandbox.run("await Promise.resolve(x)")).value, "40");
  } finally {
    await sandbox.close();
  }
});

test("a Python sandbox tells exceptions, tables and images", async () => {
  const sandbox = await Sandbox.create({ language: "python" });
  try {
    const shown = await sandbox.run("class T:\n    def _repr_html_(self): return '<b>'\n    def _repr_png_(self): return b'\\x89PNG'\nT()");
    assert.equal(shown.results[0].html, "<b>");
    assert.deepEqual([...shown.results[0].png], [0x89, 80, 78, 71]);
    const { type, text, stack } = (await sandbox.run("raise ValueError('no')")).exception;
    assert.deepEqual([type, text], ["ValueError", "no"]);
    assert.match(stack, /Traceback/);
    const late = await sandbox.run("w = 5\nwhile True: pass", { timeoutSeconds: 2 });
    assert.ok(late.timedOut);
    assert.equal((await sandbox.run("w")).value, "5");
  } finally {
    await sandbox.close();
  }
});

test("output is streamed as it is printed", async () => {
  const sandbox = new Sandbox();
  const pieces = [];
  let errors = "";
  const code = "console.log('é'); while (!(await import('node:fs')).existsSync('/tmp/go')) await new Promise((done) => setTimeout(done, 50)); console.log(2); console.error('e'); 'end'";
  const result = await sandbox.run(code, {
    onStdout: async (text) => {
      pieces.push(text);
      // It goes on only when what it printed first has been told.
      if (text.startsWith("é")) await sandbox.files.write("/tmp/go", "");
    },
    onStderr: (text) => { errors += text; },
    timeoutSeconds: 60,
  });
  await sandbox.delete();
  assert.equal(pieces.join(""), "é\n2\n");
  assert.deepEqual([result.stdout, result.stderr, errors, result.value, result.timedOut], ["é\n2\n", "e\n", "e\n", "'end'", false]);
});

test("aborting interrupts the code, and so does a callback that throws", async () => {
  const sandbox = new Sandbox({ language: "python" });
  await sandbox.run("x = 1");
  const loop = "x += 1\nopen('/tmp/begun', 'w').close()\nprint('go', flush=True)\nwhile True: pass";
  const abort = new AbortController();
  const running = assert.rejects(sandbox.run(loop, { signal: abort.signal, timeoutSeconds: 600 }), { name: "AbortError" });
  while (!(await sandbox.files.exists("/tmp/begun"))) await new Promise((done) => setTimeout(done, 50));
  abort.abort();
  await running;
  await assert.rejects(sandbox.run(loop, { onStdout: () => { throw new RangeError("stop"); }, timeoutSeconds: 600 }), RangeError);
  assert.equal((await sandbox.run("x", { signal: AbortSignal.timeout(60000) })).value, "3");
  await sandbox.close();
});

test("sandboxes are found, extended, listed and ended", async () => {
  const client = new Client();
  const tag = `ts-${process.pid}`;
  const one = await Sandbox.create({ client, metadata: { tag, someThing: "a" }, memoryMb: 100 });
  const two = await Sandbox.create({ client, metadata: { tag }, timeoutSeconds: 60 });
  const ids = [];
  for await (const info of client.sandboxes({ metadata: { tag }, pageSize: 1 })) ids.push(info.id);
  assert.deepEqual(ids, [one.id, two.id]);
  const info = await one.info();
  assert.deepEqual([info.memoryMb, info.template, info.state, info.metadata.someThing], [100, "node", "running", "a"]);
  assert.ok((await two.extend(1000)).expires > info.expires);
  assert.deepEqual((await two.setMetadata({ other: "b" })).metadata, { other: "b" });
  const again = await Sandbox.connect(one.id);
  await one.run("var v = 'kept'");
  assert.equal((await again.run("v")).value, "'kept'");
  assert.ok((await again.run("console.log('in the log')")).ok);
  assert.match((await again.logs()).output, /in the log/);
  await one[Symbol.asyncDispose]();
  await two.close();
  await assert.rejects(again.info(), NotFoundError);
  await again.close();
});

test("errors say what to do and name the request", async () => {
  const error = await exec("1", { language: "pyhton" }).catch((thrown) => thrown);
  assert.ok(error instanceof BadRequestError && error instanceof ApiError && error instanceof RametError && error instanceof Error);
  assert.equal(error.name, "BadRequestError");
  assert.equal(error.status, 400);
  assert.match(error.detail, /python/);
  assert.ok(error.message.includes(error.requestId));
  await assert.rejects(new Client({ url: "http://127.0.0.1:9" }).health(), (thrown) => thrown instanceof TransportError && /ramet serve/.test(thrown.message));
  for (const url of ["127.0.0.1:8080", "ftp://x", "http://"]) assert.throws(() => new Client({ url }), TypeError);
});

test("a busy server is asked again and given up on", async () => {
  const busy = answer(503, '{"title":"busy","detail":"later"}', "Retry-After: 1\r\n");
  await scripted([busy, answer(200, '{"status":"ok"}')], async (url) => assert.equal((await new Client({ url }).health()).status, "ok"));
  await scripted([answer(429, '{"detail":"slow down"}', "Retry-After: 7\r\n")], async (url) => {
    const error = await new Client({ url, retries: 0 }).health().catch((thrown) => thrown);
    assert.ok(error instanceof RateLimitError);
    assert.deepEqual([error.retryAfter, error.detail], [7, "slow down"]);
  });
  await scripted([answer(502, "<html>bad gateway")], async (url) => assert.rejects(new Client({ url }).health(), /bad gateway/));
  await scripted(["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"], async (url) => assert.rejects(new Client({ url }).health(), TransportError));
});
