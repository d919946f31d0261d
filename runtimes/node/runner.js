// Ramet's Node.js runner: a warm V8 that waits for code.
//
// A template is frozen while this program waits in read(2) for a request; every sandbox is a fork of it. The protocol is that of runtimes/python/runner.py:
// requests and replies over the channel whose descriptor or path is in RAMET_CHANNEL, one message for each read(2) or write(2). The flag LINES changes nothing here:
// console.log writes at once. Of the options, stdin is not there: descriptor 0 is what the host made it.
//
// Code is run as scripts in the main context, with what `node -e` defines (require, module, the built-in modules by name). So top-level const, let, class and function
// stay for the next request of a session, which may declare them anew (see relax). Code that is not a script because of a top-level await, import or export is rewritten to one
// (see rewrite).
//
// SIGINT ends a request of a session, whatever it does: a loop that never ends, or waiting for what never comes (see interrupter). What it has left behind, timers for one, goes
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
const v8 = require('node:v8');
const vm = require('node:vm');

const VERSION = 2;
const LARGE = 1, SESSION = 2, VALUE = 8;
const HEADER = 20, SEED = 64;
const { nextTick, exit } = process;

// --- randomness -------------------------------------------------------------------------------------------------------------------------------------

// Math.random of V8 goes on from a state inside V8 that no program can change, and that all forks share. Ours is xoshiro128** (Blackman and Vigna), which a fork seeds.
const state = new Uint32Array(4);

function next() {
  const [a, b, c, d] = state;
  const five = Math.imul(b, 5);
  const result = Math.imul((five << 7) | (five >>> 25), 9);
  state[2] = c ^ a;
  state[3] = d ^ b;
  state[1] = b ^ state[2];
  state[0] = a ^ state[3];
  state[2] ^= b << 9;
  state[3] = (state[3] << 11) | (state[3] >>> 21);
  return result;
}

function replaceRandom() {
  const original = Math.random;
  // Bound: so that it shows as native code, as programs that look at it expect.
  const random = function () { return ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992; }.bind(undefined);
  Object.defineProperty(random, 'name', { value: original.name, configurable: true });
  Math.random = random;
}

/**
 * A shared object that process.dlopen takes for an addon: what can only be done from native code, and for which a compiler is not there.
 * @param {string} name Part of its file's name.
 * @param {string[]} imports Symbols of Node, or of the libraries that it has loaded.
 * @param {(got: (index: number) => number, base: number) => Buffer} assemble Gives its code and data, which lie at base; the address of an import is at got(index). It begins with what
 * process.dlopen calls. Addresses count from the beginning of the object.
 * @returns {() => void} Calls it. It has been called once by then.
 */
function nativeModule(name, imports, assemble) {
  const symbols = [...imports, `node_register_module_v${process.versions.modules}`];
  const nameAt = (index) => 1 + symbols.slice(0, index).join(' ').length + (index > 0 ? 1 : 0);
  const strings = Buffer.from(`\0${symbols.join('\0')}\0`);
  const count = imports.length;
  const HASH = 0x100;
  const SYMBOLS = (HASH + 4 * (count + 5) + 7) & ~7;
  const RELOCATIONS = SYMBOLS + 24 * (count + 2);
  const DYNAMIC = RELOCATIONS + 24 * count;
  const GOT = DYNAMIC + 16 * 9;
  const CODE = GOT + 8 * count;
  const code = assemble((index) => GOT + 8 * index, CODE);
  const STRINGS = CODE + code.length;
  const image = Buffer.alloc(STRINGS + strings.length);
  const u16 = (at, value) => image.writeUInt16LE(value, at);
  const u32 = (at, value) => image.writeUInt32LE(value, at);
  const u64 = (at, value) => image.writeBigUInt64LE(BigInt(value), at);
  // Elf64_Ehdr: a shared object for x86-64 with three program headers.
  image.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  u16(16, 3); u16(18, 62); u32(20, 1); u64(32, 64); u16(52, 64); u16(54, 56); u16(56, 3); u16(58, 64);
  const header = (index, type, flags, at, size, align) => {
    const base = 64 + 56 * index;
    u32(base, type); u32(base + 4, flags); u64(base + 8, at); u64(base + 16, at); u64(base + 24, at); u64(base + 32, size); u64(base + 40, size); u64(base + 48, align);
  };
  header(0, 1, 7, 0, image.length, 0x1000); // PT_LOAD
  header(1, 2, 6, DYNAMIC, 16 * 9, 8); // PT_DYNAMIC
  header(2, 0x6474e551, 6, 0, 0, 16); // PT_GNU_STACK: not executable
  // DT_HASH with one bucket, whose chain goes from the last symbol to the first.
  [1, count + 2, count + 1, ...Array.from({ length: count + 2 }, (_, i) => Math.max(0, i - 1))].forEach((word, index) => u32(HASH + 4 * index, word));
  const symbol = (index, section, value) => { const at = SYMBOLS + 24 * index; u32(at, nameAt(index - 1)); image[at + 4] = 0x12; u16(at + 6, section); u64(at + 8, value); };
  for (let i = 0; i < count; i++) {
    symbol(i + 1, 0, 0);
    const at = RELOCATIONS + 24 * i;
    u64(at, GOT + 8 * i); u32(at + 8, 6); u32(at + 12, i + 1); // R_X86_64_GLOB_DAT
  }

  symbol(count + 1, 1, CODE);
  [[4, HASH], [5, STRINGS], [6, SYMBOLS], [10, strings.length], [11, 24], [7, RELOCATIONS], [8, 24 * count], [9, 24], [0, 0]]
    .forEach(([tag, value], index) => { u64(DYNAMIC + 16 * index, tag); u64(DYNAMIC + 16 * index + 8, value); });
  image.set(code, CODE);
  image.set(strings, STRINGS);
  const file = `/tmp/.ramet-${name}-${process.pid}.node`;
  fs.writeFileSync(file, image, { mode: 0o700 });
  try {
    const call = () => process.dlopen({ exports: {} }, file);
    call(); // From now on the loader knows it by its name.
    return call;
  } finally {
    fs.unlinkSync(file);
  }
}

/**
 * Makes OpenSSL take fresh entropy from the system, for the generators of all threads (RAND_poll): it notices a fork(2) by the process id, but not a fork of the whole machine, and Node has
 * no call for it.
 */
const reseeder = () => nativeModule('reseed', ['RAND_poll'], (got, base) => {
  const code = Buffer.from([0xff, 0x25, 0, 0, 0, 0]); // jmp *got(0)
  code.writeInt32LE(got(0) - (base + 6), 2);
  return code;
});

function reseed(seed) {
  reseedOpenssl();
  for (let i = 0; i < 4; i++) state[i] = seed.readUInt32LE(4 * i);
  if ((state[0] | state[1] | state[2] | state[3]) === 0) {
    const fresh = require('node:crypto').randomBytes(16);
    for (let i = 0; i < 4; i++) state[i] = fresh.readUInt32LE(4 * i);
  }
}

// --- interruption -----------------------------------------------------------------------------------------------------------------------------------

/**
 * Puts a handler of SIGINT before Node's own (for which there must be a listener): it passes the signal on, and if the thread has not been waiting in the event loop, that is, if its
 * epoll_wait(2) has not just been interrupted, it has V8 end what runs (v8::Isolate::TerminateExecution), which no code can catch. The signal after that takes it back: where V8 was to
 * end microtasks it goes on refusing to run anything. What this gives forgets what was asked for: the next signal is the first again.
 */
const interrupter = () => nativeModule(
  'interrupt', ['_ZN2v87Isolate10GetCurrentEv', '_ZN2v87Isolate18TerminateExecutionEv', '_ZN2v87Isolate24CancelTerminateExecutionEv', 'sigaction'], (got, base) => {
    const bytes = [], links = [];
    const at = {};
    const emit = (...values) => bytes.push(...values);
    // An instruction with the address of something, relative to its end, and what comes behind the address.
    const far = (opcode, target, ...rest) => { emit(...opcode); links.push([bytes.length, target, rest.length]); emit(0, 0, 0, 0, ...rest); };
    const call = (index) => far([0xff, 0x15], () => got(index));
    const mark = (name, size) => { at[name] = base + bytes.length; emit(...Array(size).fill(0)); };

    // What process.dlopen calls.
    far([0x83, 0x25], () => at.asked, 0); //            and dword [asked], 0
    far([0x48, 0x83, 0x3d], () => at.old, 0); //        cmp qword [old], 0: of struct sigaction, sa_handler
    emit(0x74, 0x01, 0xc3); //                          je +1; ret: it is installed
    emit(0x53); //                                      push rbx: for the stack's alignment
    call(0);
    far([0x48, 0x89, 0x05], () => at.isolate); //       mov [isolate], rax
    far([0x48, 0x8d, 0x05], () => at.handler); //       lea rax, handler
    far([0x48, 0x89, 0x05], () => at.action); //        mov [action], rax
    emit(0xbf, 2, 0, 0, 0); //                          mov edi, SIGINT
    far([0x48, 0x8d, 0x35], () => at.action); //        lea rsi, action
    far([0x48, 0x8d, 0x15], () => at.old); //           lea rdx, old
    call(3);
    emit(0x5b, 0xc3); //                                pop rbx; ret

    // The handler: signal, siginfo, ucontext.
    mark('handler', 0);
    emit(0x53, 0x48, 0x89, 0xd3); //                    push rbx; mov rbx, rdx
    far([0xff, 0x15], () => at.old); //                 call [old]
    far([0x83, 0x3d], () => at.asked, 0); //            cmp dword [asked], 0
    emit(0x75, 50); //                                  jne cancel
    emit(0x48, 0x83, 0xbb, 0x90, 0, 0, 0, 0xfc); //     cmp qword [rbx + 0x90], -4: RAX, -EINTR
    emit(0x75, 15); //                                  jne busy
    emit(0x48, 0x8b, 0x83, 0xa8, 0, 0, 0); //           mov rax, [rbx + 0xa8]: RIP
    emit(0x66, 0x81, 0x78, 0xfe, 0x0f, 0x05); //        cmp word [rax - 2], 0x050f: syscall
    emit(0x74, 45); //                                  je done
    far([0x48, 0x8b, 0x3d], () => at.isolate); // busy: mov rdi, [isolate]
    far([0xc7, 0x05], () => at.asked, 1, 0, 0, 0); //   mov dword [asked], 1
    call(1);
    emit(0x5b, 0xc3); //                                pop rbx; ret
    far([0x48, 0x8b, 0x3d], () => at.isolate); // cancel: mov rdi, [isolate]
    far([0x83, 0x25], () => at.asked, 0); //            and dword [asked], 0
    call(2);
    emit(0x5b, 0xc3); //                          done: pop rbx; ret

    while ((base + bytes.length) % 8 !== 0) emit(0);
    mark('isolate', 8);
    mark('asked', 8);
    // struct sigaction of the C library: sa_handler, sa_mask of 128 bytes, sa_flags.
    mark('action', 152);
    mark('old', 152);
    const code = Buffer.from(bytes);
    code.writeUInt32LE(0x10000004, at.action - base + 136); // SA_RESTART | SA_SIGINFO
    for (const [place, target, behind] of links) code.writeInt32LE(target() - (base + place + 4 + behind), place);
    return code;
  });

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

// --- code -------------------------------------------------------------------------------------------------------------------------------------------

let acorn;
for (const name of ['/usr/share/nodejs/acorn', 'acorn']) {
  try {
    acorn ??= require(name);
  } catch {
    // Then a top-level await is a syntax error.
  }
}

const loader = vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER ?? ((specifier) => import(specifier));
const compile = (code, filename, lineOffset = 0) => new vm.Script(code, { filename, lineOffset, importModuleDynamically: loader });

/** Names that a pattern binds. */
function* namesOf(pattern) {
  switch (pattern?.type) {
    case 'Identifier': yield pattern.name; break;
    case 'ObjectPattern': for (const property of pattern.properties) yield* namesOf(property.value ?? property.argument); break;
    case 'ArrayPattern': for (const element of pattern.elements) yield* namesOf(element); break;
    case 'AssignmentPattern': yield* namesOf(pattern.left); break;
    case 'RestElement': yield* namesOf(pattern.argument); break;
  }
}

/** The nodes of a tree, and of the functions in it if asked for. */
function* nodesOf(node, functions) {
  if (!node || typeof node.type !== 'string') return;
  yield node;
  for (const value of Object.values(node)) {
    if (!value || typeof value !== 'object') continue;
    for (const child of Array.isArray(value) ? value : [value]) {
      if (functions || !/Function/.test(child?.type) && child?.type !== 'ClassBody') yield* nodesOf(child, functions);
    }
  }
}

/**
 * A module's code, or a script with a top-level await, as a script: an async function whose declarations are outside of it. Its lines are one lower than they were.
 * Null when it is neither (then its syntax error is the script's). With again, its names can be declared again.
 */
function rewrite(code, filename, wantsValue, again) {
  let tree;
  try {
    tree = acorn.parse(code, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true });
  } catch {
    try {
      // Not in strict mode, as scripts are.
      tree = acorn.parse(code, { ecmaVersion: 'latest', sourceType: 'script', allowAwaitOutsideFunction: true, allowHashBang: true });
    } catch {
      return null;
    }
  }

  const changes = []; // [start, end, text]
  const change = (start, end, text) => changes.push([start, end, text + '\n'.repeat(code.slice(start, end).split('\n').length - text.split('\n').length)]);
  const lets = new Set();
  const imports = [];
  const functions = [];
  const variables = (declaration, alone) => {
    for (const { id } of declaration.declarations) for (const name of namesOf(id)) lets.add(name);
    change(declaration.start, declaration.declarations[0].start, alone ? ';(' : '(');
    for (const { id, init, end } of declaration.declarations) if (!init && id.type === 'Identifier') change(end, end, '=undefined');
    const { end } = declaration.declarations.at(-1);
    change(end, end, ')');
  };
  const declare = (node, exportStart) => {
    switch (node.type) {
      case 'VariableDeclaration':
        if (exportStart !== undefined) change(exportStart, node.start, '');
        variables(node, true);
        return true;
      case 'ClassDeclaration':
        if (!node.id) return false;
        lets.add(node.id.name);
        change(exportStart ?? node.start, node.start, `;${node.id.name}=`);
        change(node.end, node.end, ';');
        return true;
      case 'FunctionDeclaration':
        if (!node.id) return false;
        functions.push(code.slice(node.start, node.end));
        change(exportStart ?? node.start, node.end, '');
        return true;
      default:
        return false;
    }
  };

  for (const node of tree.body) {
    switch (node.type) {
      case 'ImportDeclaration': {
        const names = [];
        let space;
        for (const { type, local, imported } of node.specifiers) {
          lets.add(local.name);
          if (type === 'ImportNamespaceSpecifier') space = local.name;
          else names.push(`${type === 'ImportDefaultSpecifier' ? 'default' : imported.name ?? imported.raw}:${local.name}`);
        }

        const attributes = node.attributes?.length ? `,{with:${code.slice(code.indexOf('{', node.source.end), node.end).replace(/;\s*$/, '')}}` : '';
        const load = `await import(${node.source.raw}${attributes})`;
        imports.push(space ? `${space}=${load};${names.length ? `({${names}}=${space});` : ''}` : names.length ? `({${names}}=${load});` : `${load};`);
        change(node.start, node.end, ';');
        break;
      }

      case 'ExportNamedDeclaration':
        if (node.declaration) declare(node.declaration, node.start);
        else change(node.start, node.end, node.source ? `;await import(${node.source.raw});` : ';');
        break;
      case 'ExportDefaultDeclaration':
        if (!declare(node.declaration, node.start)) change(node.start, node.declaration.start, ';');
        break;
      case 'ExportAllDeclaration':
        change(node.start, node.end, `;await import(${node.source.raw});`);
        break;
      default:
        declare(node);
    }
  }

  const last = tree.body.at(-1);
  if (wantsValue && last?.type === 'ExpressionStatement') {
    change(last.start, last.expression.start, `;return (${code.slice(last.start, last.expression.start)}`);
    change(last.expression.end, last.expression.end, ')');
  }

  for (const node of nodesOf(tree, true)) {
    if (node.type === 'MetaProperty' && node.meta.name === 'import') change(node.start, node.end, metaOf(filename));
  }

  // Functions are moved; changes inside of them stay behind.
  const moved = tree.body.map((node) => node.declaration ?? node).filter((node) => node.type === 'FunctionDeclaration' && node.id);
  const kept = changes.filter(([start, end]) => !moved.some((node) => start > node.start && end < node.end)).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let text = '', at = 0;
  for (const [start, end, replacement] of kept) {
    text += code.slice(at, start) + replacement;
    at = Math.max(at, end);
  }

  const body = (text + code.slice(at)).replace(/^#!/, '//');
  if (again) makeVariables(lets);
  const head = lets.size ? `${again ? 'var' : 'let'} ${[...lets].join(',')};` : '';
  // Functions come behind, where lines no longer matter; declarations of a script are there from its start.
  return `${head}(async()=>{${imports.join('')}\n${body}\n})()\n${functions.join('\n')}`;
}

const metaOf = (filename) => {
  const file = path.resolve(filename);
  const { pathToFileURL } = require('node:url');
  return `({url:${JSON.stringify(pathToFileURL(file).href)},filename:${JSON.stringify(file)},dirname:${JSON.stringify(path.dirname(file))},`
    + `resolve:(name)=>process.getBuiltinModule('node:url').pathToFileURL(require.resolve(name)).href})`;
};

/** A script whose top-level const, let and class are var: a later request of the session may declare them again, as it does who tries things out. */
function relax(code) {
  if (!acorn || !/\b(const|let|class)\b/.test(code)) return code;
  let tree;
  try {
    tree = acorn.parse(code, { ecmaVersion: 'latest', sourceType: 'script', allowHashBang: true });
  } catch {
    return code; // It is for V8 to say what is wrong.
  }

  let text = '', at = 0;
  const names = [];
  for (const node of tree.body) {
    if (node.type === 'VariableDeclaration' && node.kind !== 'var') {
      text += code.slice(at, node.start) + 'var'.padEnd(node.kind.length);
      at = node.start + node.kind.length;
      for (const { id } of node.declarations) names.push(...namesOf(id));
    } else if (node.type === 'ClassDeclaration') {
      text += `${code.slice(at, node.start)}var ${node.id.name}=${code.slice(node.start, node.end)};`;
      at = node.end;
      names.push(node.id.name);
    }
  }

  makeVariables(names);
  return text + code.slice(at);
}

/** Of the names of a script those are made variables that are something of Node's that cannot be written. */
function makeVariables(names) {
  for (const name of names) {
    const known = Object.getOwnPropertyDescriptor(globalThis, name);
    if (known?.configurable && !known.writable && known.set === undefined) define(name, undefined);
  }
}

/** Runs code as a script. Gives its value, or the promise of it when it waits at its top level. */
function execute(code, filename, wantsValue, again = false) {
  let script;
  try {
    script = compile(again ? relax(code) : code, filename);
  } catch (error) {
    const other = error instanceof SyntaxError && acorn && /\b(await|import|export)\b/.test(code) ? rewrite(code, filename, wantsValue, again) : null;
    if (other === null) throw error;
    return { promise: compile(other, filename, -1).runInThisContext() };
  }

  return { value: script.runInThisContext() };
}

// --- what programs see ------------------------------------------------------------------------------------------------------------------------------

const define = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

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

// --- results ----------------------------------------------------------------------------------------------------------------------------------------

const LARGEST_RESULT = 4 << 20;

/** What values offer to notebooks: the methods that Jupyter's kernels for JavaScript have made a convention of. */
const REPRESENTATIONS = [['_toHtml', 'text/html'], ['_toMarkdown', 'text/markdown'], ['_toSvg', 'image/svg+xml'], ['_toPng', 'image/png'], ['_toJpeg', 'image/jpeg']];

/** How images begin. */
const SIGNATURES = [['89504e470d0a1a0a', 'image/png'], ['ffd8ff', 'image/jpeg'], ['47494638', 'image/gif']];

const bytesOf = (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength);

/** What a value looks like: its text, JSON if it is data, and what it offers itself. Media types to content; images in base64. */
function represent(value) {
  const result = { 'text/plain': util.inspect(value) };
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return result;
  const add = (media, content) => {
    if (content instanceof Uint8Array) content = bytesOf(content).toString('base64');
    if (content !== undefined && content !== null && String(content).length <= LARGEST_RESULT) result[media] = content;
  };
  const attempt = (action) => {
    try {
      action();
    } catch {
      // Then it has none.
    }
  };
  attempt(() => {
    const bundle = typeof value._toMime === 'function' ? value._toMime() : value[Symbol.for('Jupyter.display')]?.();
    if (bundle && typeof bundle.then !== 'function') for (const [media, content] of Object.entries(bundle)) add(media, content);
  });
  for (const [method, media] of REPRESENTATIONS) attempt(() => { if (typeof value[method] === 'function') add(media, value[method]()); });
  if (value instanceof Uint8Array) {
    const head = bytesOf(value).subarray(0, 8).toString('hex');
    for (const [begins, media] of SIGNATURES) if (head.startsWith(begins)) add(media, value);
  } else if (result['application/json'] === undefined) {
    attempt(() => {
      const prototype = Object.getPrototypeOf(value);
      if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null && typeof value.toJSON !== 'function') return;
      const json = JSON.stringify(value);
      if (json !== undefined && json.length <= LARGEST_RESULT) result['application/json'] = JSON.parse(json);
    });
  }

  return result;
}

/** What is told of something that was thrown: as text, and as data. */
function describe(error) {
  const clip = (text) => String(text).slice(0, 10_000);
  try {
    if (util.types.isNativeError(error)) {
      // What is below the code are the runner and Node.
      const lines = String(error.stack).split('\n');
      const end = lines.findIndex((line) => /^ +at .*(Script\.runInThisContext|\/runner\.js:)/.test(line));
      if (end > 0) error.stack = lines.slice(0, end).join('\n');
      return { told: `Uncaught ${util.inspect(error)}`, exception: { type: clip(error.name), text: clip(error.message), stack: clip(error.stack) } };
    }

    return { told: `Uncaught ${util.inspect(error)}`, exception: { type: error === null ? 'null' : error?.constructor?.name ?? typeof error, text: clip(typeof error === 'string' ? error : util.inspect(error)) } };
  } catch {
    // Its own members throw.
    return { told: 'Uncaught exception', exception: { type: typeof error, text: '' } };
  }
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

// --- the warm interpreter ---------------------------------------------------------------------------------------------------------------------------

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
async function warmUp() {
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
        if (!acorn) continue;
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

const reseedOpenssl = reseeder();
const given = process.env.RAMET_CHANNEL;
delete process.env.RAMET_CHANNEL;
const channel = /^\d+$/.test(given) ? Number(given) : fs.openSync(given, 'r+');
process.execArgv.length = 0; // Those of the runner are not for its children.
process.argv.length = 1;
delete require.cache[__filename];
replaceRandom();
defineModules();
correctTimeOrigin();

warmUp().then(settle).then(() => {
  process.emit = emit;
  reply(0, { node: process.versions.node, v8: process.versions.v8, modules: acorn !== undefined });
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
