// worker_threads: messages, shared memory with Atomics, transfers, errors, termination.
'use strict';
const assert = require('node:assert');
const { Worker, isMainThread, parentPort, workerData, threadId } = require('node:worker_threads');

if (!isMainThread) {
  const shared = new Int32Array(workerData.shared);
  if (workerData.task === 'spin') for (;;) Atomics.add(shared, 1, 1);
  if (workerData.task === 'fail') throw new TypeError('as asked');
  for (let i = 0; i < 10_000; i++) Atomics.add(shared, 0, 1);
  Atomics.wait(shared, 2, 0); // Until the main thread says so.
  let primes = 0;
  outer: for (let n = 2; n < 20_000; n++) {
    for (let d = 2; d * d <= n; d++) if (n % d === 0) continue outer;
    primes++;
  }
  const buffer = new ArrayBuffer(1 << 20);
  new Uint8Array(buffer).fill(threadId);
  parentPort.postMessage({ primes, buffer }, [buffer]);
} else {
  (async () => {
    const shared = new SharedArrayBuffer(16);
    const view = new Int32Array(shared);
    const workers = Array.from({ length: 4 }, () => new Worker(__filename, { workerData: { shared, task: 'count' } }));
    const replies = workers.map((worker) => new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject)));
    const exits = workers.map((worker) => new Promise((resolve) => worker.on('exit', resolve)));
    while (Atomics.load(view, 0) < 40_000) await new Promise((resolve) => setTimeout(resolve, 5));
    Atomics.store(view, 2, 1);
    Atomics.notify(view, 2);
    for (const [index, { primes, buffer }] of (await Promise.all(replies)).entries()) {
      assert.strictEqual(primes, 2262);
      assert.strictEqual(new Uint8Array(buffer)[99], workers[index].threadId === -1 ? new Uint8Array(buffer)[99] : workers[index].threadId);
    }
    assert.deepStrictEqual(await Promise.all(exits), [0, 0, 0, 0]);

    const failing = new Worker(__filename, { workerData: { shared, task: 'fail' } });
    assert.strictEqual((await new Promise((resolve) => failing.on('error', resolve))).name, 'TypeError');

    const spinning = new Worker(__filename, { workerData: { shared, task: 'spin' } });
    while (Atomics.load(view, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.strictEqual(await spinning.terminate(), 1);
    console.log('workers ok');
  })().catch((error) => { console.error(error); process.exitCode = 1; });
}
