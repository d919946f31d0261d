// child_process: exec, spawn with pipes, fork with messages, signals, the synchronous ones.
'use strict';
const assert = require('node:assert');
const { exec, execFileSync, fork, spawn, spawnSync } = require('node:child_process');
const { promisify } = require('node:util');

if (process.argv[2] === 'child') {
  process.on('message', (n) => process.send(n * n, () => { if (n === 9) process.disconnect(); }));
} else {
  (async () => {
    const { stdout } = await promisify(exec)('echo out; echo err >&2');
    assert.strictEqual(stdout, 'out\n');
    await assert.rejects(promisify(exec)('exit 3'), { code: 3 });
    assert.strictEqual(execFileSync('sort', { input: 'b\na\n' }).toString(), 'a\nb\n');
    assert.strictEqual(spawnSync('sh', ['-c', 'kill -TERM $$']).signal, 'SIGTERM');
    assert.strictEqual(spawnSync('/no/such/program').error.code, 'ENOENT');
    assert.strictEqual(spawnSync('sleep', ['100'], { timeout: 100 }).error.code, 'ETIMEDOUT');

    const cat = spawn('cat');
    let echoed = 0;
    cat.stdout.on('data', (data) => { echoed += data.length; });
    cat.stdin.end(Buffer.alloc(3_000_000));
    assert.strictEqual(await new Promise((resolve) => cat.on('close', resolve)), 0);
    assert.strictEqual(echoed, 3_000_000);

    const sleeper = spawn('sleep', ['100']);
    sleeper.kill('SIGKILL');
    assert.strictEqual(await new Promise((resolve) => sleeper.on('exit', (code, signal) => resolve(signal))), 'SIGKILL');

    const child = fork(__filename, ['child']);
    const squares = [];
    child.on('message', (square) => squares.push(square));
    for (let i = 0; i < 10; i++) child.send(i);
    assert.strictEqual(await new Promise((resolve) => child.on('exit', resolve)), 0);
    assert.deepStrictEqual(squares, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);

    const many = await Promise.all(Array.from({ length: 10 }, (_, i) => promisify(exec)(`echo ${i}`)));
    assert.strictEqual(many.map((one) => one.stdout.trim()).join(''), '0123456789');
    console.log('children ok');
  })().catch((error) => { console.error(error); process.exitCode = 1; });
}
