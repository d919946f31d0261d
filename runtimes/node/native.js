// What can only be done from native code, and for which a compiler is not there: machine code for x86-64 that process.dlopen takes for an addon.
'use strict';

const fs = require('node:fs');

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

module.exports = { interrupter, reseeder };
