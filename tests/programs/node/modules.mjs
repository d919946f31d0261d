// ECMAScript modules: static and dynamic imports, top-level await, import.meta, JSON, CommonJS inside.
import assert from 'node:assert';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { double, counter, increase } from './lib/numbers.mjs';
import legacy from './lib/legacy.cjs';

const require = createRequire(import.meta.url);
assert.strictEqual(double(21), 42);
increase();
assert.strictEqual(counter, 1); // A live binding.
assert.strictEqual(legacy.name, 'legacy');
assert.strictEqual(require('./lib/data.json').answer, 42);
const { default: again } = await import('./lib/numbers.mjs');
assert.strictEqual(again, 'numbers');
assert((await readFile(fileURLToPath(import.meta.url), 'utf8')).startsWith('// ECMAScript'));
await assert.rejects(import('./lib/missing.mjs'), { code: 'ERR_MODULE_NOT_FOUND' });
console.log('modules ok');
