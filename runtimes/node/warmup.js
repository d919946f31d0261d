// The warm interpreter.
'use strict';

const v8 = require('node:v8');
const vm = require('node:vm');
const { compile, execute, hasParser, rewrite } = require('./code.js');
const { reseed } = require('./random.js');

const WARM_UP = [
  'console.log(1+1)',
  'console.log("text %s %d", "a", 1.5, { a: [1, 2, { b: null }], c: new Map([[1, new Set([2])]]), d: undefined, e: () => 1, f: Symbol("g"), h: 1n }, [1, "two"], new Date(0))',
  'const warm1 = [1, 2, 3].map((x) => x * 2); let warm2 = warm1.reduce((a, b) => a + b, 0); class Warm3 { constructor(x) { this.x = x; } get y() { return this.x; } }\n'
    + 'const warm4 = (n) => n < 2 ? n : warm4(n - 1) + warm4(n - 2);\nconsole.log(warm2, new Warm3(1).y, warm4(10), JSON.stringify({ a: [1] }), `${warm2}`.padStart(5).match(/\\d+/g))',
  'try { null.x } catch (error) { console.error(error); console.log(error.message, error.stack.length, require("util").inspect(error).length) }',
  'setTimeout(() => console.log("later"), 1); setImmediate(() => {}); process.nextTick(() => {}); Promise.resolve(1).then((x) => x)',
  'const warm5 = await Promise.resolve(5); console.log(warm5); await new Promise((resolve) => setTimeout(resolve, 1))',
  'import { join } from "node:path"; console.log(join("a", "b"))',
  'const warm6 = require("fs"); warm6.writeFileSync("/tmp/.warm", "x"); console.log(warm6.readFileSync("/tmp/.warm", "utf8"), warm6.existsSync("/none"), warm6.readdirSync("/tmp").length >= 0); warm6.unlinkSync("/tmp/.warm")',
  'console.log(require("path").resolve("a"), process.argv.length, Buffer.from("abc").toString("hex"), require("crypto").createHash("sha256").update("a").digest("hex"), new URL("http://a/b?c=d").searchParams.get("c"), Math.random() < 1)',
  'console.table([{ a: 1, b: 2 }]); console.log([3, 1, 2].sort(), Object.entries({ a: 1 }), new Intl.NumberFormat("en").format(1e6), (1.5).toLocaleString(), "é".normalize("NFD").length)',
];

const MODULES = `assert async_hooks buffer child_process crypto dgram diagnostics_channel dns events fs fs/promises http http2 https module net os path perf_hooks process
  querystring readline readline/promises stream stream/promises string_decoder test timers/promises tls tty url util v8 vm worker_threads zlib`.split(/\s+/);

/** Runs what programs typically do, with output of no bytes, so that modules are loaded and code is compiled before the template is frozen. */
async function warmUp(prepareGlobals) {
  for (const name of MODULES) require(`node:${name}`);
  for (const name of ['Headers', 'Blob', 'AbortController', 'TextDecoder', 'structuredClone', 'performance', 'fetch', 'WebAssembly']) void globalThis[name];
  const streams = [process.stdout, process.stderr];
  for (const stream of streams) {
    // Goes the whole way to write(2).
    stream.write = (_, ...rest) => Object.getPrototypeOf(stream).write.call(stream, '', ...rest);
  }

  const names = new Set(Object.getOwnPropertyNames(globalThis));
  for (let round = 0; round < 3; round++) {
    for (const code of WARM_UP) {
      reseed(Buffer.alloc(64, 1));
      prepareGlobals(undefined);
      // A block: const and let must not stay. (With await there is no block: they do, and are run once.)
      if (/^import|\bawait\b/.test(code)) {
        if (!hasParser) continue;
        const text = rewrite(code.replace(/warm5/g, `warm5_${round}`).replace(/^import .*?;/, round === 0 ? '$&' : 'const join = (...all) => all.join("/");'), '[eval]');
        await compile(text.replace(/^let [^;]*;/, (head) => `{${head}`).replace(/\}\)\(\)\n/, '})()}\n'), '[eval]', -1).runInThisContext();
      } else {
        execute(code.includes('const ') ? `{${code}}` : code, '[eval]');
      }

      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  for (const stream of streams) delete stream.write;
  for (const name of Object.getOwnPropertyNames(globalThis)) if (!names.has(name)) delete globalThis[name];
}

/** Leaves a small heap, and lets the threads of V8 come to rest. */
async function settle() {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc');
  v8.setFlagsFromString('--no-expose-gc');
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

module.exports = { settle, warmUp };
