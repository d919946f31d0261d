// A script in CommonJS: files, streams, timers, compression, hashes, signals.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const zlib = require('node:zlib');
const crypto = require('node:crypto');
const { pipeline } = require('node:stream/promises');

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'basics-'));
  const file = path.join(folder, 'data.txt');
  const text = 'line\n'.repeat(100_000);
  await fs.promises.writeFile(file, text);
  await pipeline(fs.createReadStream(file), zlib.createGzip(), fs.createWriteStream(file + '.gz'));
  assert.strictEqual(zlib.gunzipSync(fs.readFileSync(file + '.gz')).toString(), text);
  assert.strictEqual(crypto.createHash('sha256').update('abc').digest('hex').slice(0, 16), 'ba7816bf8f01cfea');
  assert.strictEqual(crypto.scryptSync('password', 'salt', 32).length, 32);
  const { privateKey, publicKey } = await new Promise((resolve, reject) =>
    crypto.generateKeyPair('ec', { namedCurve: 'P-256' }, (e, publicKey, privateKey) => e ? reject(e) : resolve({ publicKey, privateKey })));
  assert(crypto.verify('sha256', Buffer.from('m'), publicKey, crypto.sign('sha256', Buffer.from('m'), privateKey)));

  // Many file operations at once keep the four threads of libuv busy.
  await Promise.all(Array.from({ length: 200 }, (_, i) => fs.promises.writeFile(path.join(folder, `f${i}`), String(i))));
  assert.strictEqual((await fs.promises.readdir(folder)).length, 202);
  const sum = (await Promise.all(Array.from({ length: 200 }, (_, i) => fs.promises.readFile(path.join(folder, `f${i}`), 'utf8')))).reduce((a, b) => a + Number(b), 0);
  assert.strictEqual(sum, 19900);
  await fs.promises.rm(folder, { recursive: true });
  assert(!fs.existsSync(folder));

  const signalled = new Promise((resolve) => process.once('SIGUSR2', resolve));
  const awake = setInterval(() => {}, 1000);
  process.kill(process.pid, 'SIGUSR2');
  await signalled;
  clearInterval(awake);

  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const waited = performance.now() - began;
  assert(waited >= 49, `waited ${waited} ms`);
  assert(os.cpus().length >= 1 && os.totalmem() > 1e8 && os.hostname().length > 0);
  assert.strictEqual(os.userInfo().username, 'root');
  console.log('basics ok');
}

main().catch((error) => { console.error(error); process.exitCode = 1; });
