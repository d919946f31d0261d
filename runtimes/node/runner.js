// Ramet's Node.js runner: a warm V8 that waits for code.
//
// A template is frozen while this program waits in read(2) for a request; every sandbox is a fork of it. The protocol is that of runtimes/python/runner.py:
// requests and replies over the channel whose descriptor or path is in RAMET_CHANNEL, one message for each read(2) or write(2). The flag LINES changes nothing here:
// console.log writes at once. Of the options, stdin is not there: descriptor 0 is what the host made it.
//
// Code is run as scripts in the main context, with what `node -e` defines (require, module, the built-in modules by name). So top-level const, let, class and function
// stay for the next request of a session, which may declare them anew. Code that is not a script because of a top-level await, import or export is rewritten to one
// (code.js).
//
// SIGINT ends a request of a session, whatever it does: a loop that never ends, or waiting for what never comes (native.js). What it has left behind, timers for one, goes
// on. One signal may not be enough: where V8 does not come back from an interrupted microtask by itself, the next signal has it go on. So whoever interrupts repeats the signal until
// the reply comes. Node has to be started with --no-force-async-hooks-checks, since code that is ended so does not leave its asynchronous context.
//
// Without SESSION the program ends as it does under `node`: when the event loop has nothing left, by process.exit, or by an uncaught exception, which Node itself
// reports. The reply is made when the listeners of 'exit' have run; what a process does after that is nothing that its user can see.
'use strict';

const { createRequire } = require('node:module');
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const util = require('node:util');
const { define, execute, hasParser } = require('./code.js');
const { interrupter } = require('./native.js');
const { replaceRandom, reseed } = require('./random.js');
const { describe, represent } = require('./results.js');
const { settle, warmUp } = require('./warmup.js');

const VERSION = 2;
const LARGE = 1, SESSION = 2, VALUE = 8;
const HEADER = 20, SEED = 64;
const { exit } = process;

// --- interruption -----------------------------------------------------------------------------------------------------------------------------------

let armInterrupt;

/** Has SIGINT end the request that begins now. */
function prepareInterrupt() {
  if (armInterrupt === undefined) {
    process.on('SIGINT', interrupted);
    // Something that the event loop waits for: it must not end when code has been ended, or waits for what never comes.
    setInterval(() => {}, 2 ** 31 - 1);
    try {
      armInterrupt = interrupter();
    } catch {
      armInterrupt = () => {}; // Another V8: then only waiting can be interrupted.
    }
  } else {
    if (!process.listeners('SIGINT').includes(interrupted)) process.on('SIGINT', interrupted);
    armInterrupt();
  }
}

// --- what programs see ------------------------------------------------------------------------------------------------------------------------------

function prepareGlobals(filename) {
  const file = filename === undefined ? path.join(process.cwd(), '[eval]') : path.resolve(filename);
  const main = new Module(filename === undefined ? '[eval]' : '.');
  main.filename = file;
  main.paths = Module._nodeModulePaths(path.dirname(file));
  process.mainModule = filename === undefined ? undefined : main;
  define('module', main);
  define('exports', main.exports);
  define('require', createRequire(file));
  define('__filename', filename === undefined ? '[eval]' : file);
  define('__dirname', filename === undefined ? '.' : path.dirname(file));
}

/** Built-in modules by their names, as under `node -e`; loaded when they are used. */
function defineModules() {
  for (const name of Module.builtinModules) {
    if (name.startsWith('_') || name.includes('/') || name === 'console' || name === 'process') continue;
    Object.defineProperty(globalThis, name, {
      configurable: true,
      enumerable: false,
      get() {
        const module = require(name);
        define(name, module);
        return module;
      },
      set(value) { define(name, value); },
    });
  }
}

/** Applies a request's options. Returns the file name. */
function apply(options) {
  if (options.cwd !== undefined) process.chdir(options.cwd);
  for (const [name, value] of Object.entries(options.env ?? {})) {
    if (value === null) delete process.env[name];
    else process.env[name] = value;
  }

  // The first argument is what Python has for code without a file: -c, or - for standard input.
  const [zeroth, ...rest] = options.argv ?? [];
  const file = options.filename === '<stdin>' ? undefined : options.filename;
  if (file !== undefined) process.argv.push(path.resolve(file));
  else if (zeroth !== undefined && zeroth !== '-c') process.argv.push(zeroth);
  process.argv.push(...rest);
  return file;
}

/** performance.now() goes on from the time when the template was made; the wall clock does not. */
let timeOrigin;
function correctTimeOrigin() {
  Object.defineProperty(performance, 'timeOrigin', { configurable: true, enumerable: true, get: () => timeOrigin ??= Date.now() - performance.now() });
}

// --- requests ---------------------------------------------------------------------------------------------------------------------------------------

let buffer = Buffer.allocUnsafeSlow(64 << 10);
let session = false;
let fatal = false;
let ended = false;
let waiting = false; // For the end of a top-level await.
let details = null;
let running = null; // The request of a session that has no reply yet.

function reply(code, what) {
  const json = what === null ? '' : JSON.stringify(what);
  const length = Buffer.byteLength(json);
  const message = Buffer.alloc(16 + length);
  message.writeUInt32LE(VERSION, 0);
  message.writeInt32LE(code, 8);
  message.writeUInt32LE(length, 12);
  message.write(json, 16);
  fs.writeSync(channel, message);
}

const originalEmit = process.emit;

/** What an emitter does, and: uncaught exceptions end a request of a session, not the session; the reply is made when the listeners of 'exit' have run. */
function emit(name, ...values) {
  if (name === 'exit' && waiting && !session && values[0] === 0) {
    process.exitCode = values[0] = 13;
    process.stderr.write('Warning: Detected unsettled top-level await\n');
  }

  const result = Reflect.apply(originalEmit, this, [name, ...values]);
  if (name === 'uncaughtException' && !result) {
    if (session) {
      process.stderr.write(`Uncaught ${util.inspect(values[0])}\n`);
      return true;
    }

    fatal = true; // Node reports it, and ends.
  } else if (name === 'exit' && !fatal && !ended) {
    ended = true;
    reply(Number(process.exitCode ?? values[0] ?? 0) & 255, details);
  }

  return result;
}

/** Takes a request apart, and runs it. */
function serve(length) {
  let request = buffer;
  let flags = length >= 16 ? request.readUInt32LE(4) : 0;
  if (length >= HEADER && flags & LARGE) {
    request = Buffer.allocUnsafeSlow(HEADER + request.readUInt32LE(8) + request.readUInt32LE(12) + request.readUInt32LE(16));
    length = fs.readSync(channel, request);
    flags = request.readUInt32LE(4);
  }

  if (length < HEADER || request.readUInt32LE(0) !== VERSION) {
    reply(2, { error: 'not a request of version 2' });
    return wait();
  }

  const random = request.readUInt32LE(16);
  const start = HEADER + random;
  const end = start + request.readUInt32LE(8);
  const all = end + request.readUInt32LE(12);
  if (all !== length || (random > 0 && random < SEED)) {
    reply(2, { error: `a request of ${length} bytes says that it has ${all}` });
    return wait();
  }

  session = (flags & SESSION) !== 0;
  details = null;
  if (random) reseed(request.subarray(HEADER, start));
  timeOrigin = undefined;
  const code = request.utf8Slice(start, end);
  let filename;
  try {
    process.argv.length = 1;
    if (all > end) filename = apply(JSON.parse(request.utf8Slice(end, all)));
    prepareGlobals(filename);
  } catch (error) {
    reply(2, { error: `${error.name}: ${error.message}` });
    if (session) return wait();
    ended = true;
    exit(2);
  }

  const name = filename ?? '[eval]';
  if (session) runInSession(code, name, flags);
  else runOnce(code, name, flags);
}

function keepValue(value, flags) {
  if (!(flags & VALUE) || value === undefined) return;
  const result = represent(value);
  details = { value: result['text/plain'], results: [result] };
}

/** The event loop goes on behind it, until nothing is left. What it throws is uncaught. */
function runOnce(code, filename, flags) {
  const { promise, value } = execute(code, filename, (flags & VALUE) !== 0);
  if (promise === undefined) return keepValue(value, flags);
  waiting = true;
  promise.then((result) => { waiting = false; keepValue(result, flags); });
}

function runInSession(code, filename, flags) {
  const request = running = { flags };
  prepareInterrupt();
  const failed = (error) => finish(request, 1, error);
  const done = (value) => {
    if (running !== request) return; // It was interrupted.
    try {
      keepValue(value, flags);
    } catch (error) {
      return failed(error); // Of the value's own methods.
    }

    finish(request, 0);
  };
  let result;
  try {
    result = execute(code, filename, (flags & VALUE) !== 0, true);
  } catch (error) {
    return failed(error);
  }

  if (result.promise === undefined) done(result.value);
  else result.promise.then(done, failed);
}

/** Replies to a request of a session, once. */
function finish(request, code, error) {
  if (running !== request) return;
  running = null;
  if (code !== 0) {
    const { told, exception } = describe(error);
    process.stderr.write(`${told}\n`);
    details = request.flags & VALUE ? { exception } : null;
  }

  reply(code, details);
  wait();
}

/** SIGINT. */
function interrupted() {
  if (running !== null) finish(running, 130, new Interruption());
}

class Interruption extends Error {
  constructor() {
    super('The code was interrupted.');
    this.name = 'Interruption';
    this.stack = `${this.name}: ${this.message}`;
  }
}

/** For the next request: timers and servers of earlier ones go on meanwhile. */
function wait() {
  fs.read(channel, buffer, 0, buffer.length, null, (error, length) => {
    if (error || length === 0) exit(0); // The host is gone.
    setImmediate(serve, length);
  });
}

// --- start ------------------------------------------------------------------------------------------------------------------------------------------

const given = process.env.RAMET_CHANNEL;
delete process.env.RAMET_CHANNEL;
const channel = /^\d+$/.test(given) ? Number(given) : fs.openSync(given, 'r+');
process.execArgv.length = 0; // Those of the runner are not for its children.
process.argv.length = 1;
for (const file of Object.keys(require.cache)) if (path.dirname(file) === __dirname) delete require.cache[file];
replaceRandom();
defineModules();
correctTimeOrigin();

warmUp(prepareGlobals).then(settle).then(() => {
  process.emit = emit;
  reply(0, { node: process.versions.node, v8: process.versions.v8, modules: hasParser });
  // From a callback of the event loop, so that no promise of the runner is around a program.
  setImmediate(() => {
    const length = fs.readSync(channel, buffer);
    if (length === 0) exit(0);
    serve(length);
  });
}).catch((error) => {
  fs.writeSync(2, `The Node.js runner could not start: ${util.inspect(error)}\n`);
  exit(1);
});
