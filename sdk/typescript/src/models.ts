import { CodeError } from "./errors.js";

/** JSON as the server writes it. */
export type Json = Record<string, unknown>;

/** The content of a file to be: text, or bytes. */
export type Content = string | Uint8Array;

const times = new Set(["created", "expires", "started", "modified", "time"]);

/** Names of members in camelCase, and times as dates. What members hold is left as it is. */
export function camel<T>(data: Json): T {
  const result: Json = {};
  for (const [name, value] of Object.entries(data)) {
    const key = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    if (value !== null) result[key] = times.has(name) && typeof value === "string" ? new Date(value) : value;
  }
  return result as T;
}

/** Members that are given, with the names that the server knows. */
export function snake(members: Json): Json {
  const result: Json = {};
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined && value !== null) result[name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase())] = value;
  }
  return result;
}

const printed = (text: string) => (text.endsWith("\n") ? text.slice(0, -1) : text);

/** Bytes of base64. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Base64 of bytes. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

/** An exception that nothing caught. */
export interface CodeException {
  type: string;
  text: string;
  /** Where it was thrown, as the language tells it. */
  stack?: string | null;
}

/** What a value or figure looks like. */
export class Output {
  /** Media type to content; images are in base64. */
  constructor(readonly data: Record<string, unknown>) {}

  /** `text/plain`. */
  get text(): string | undefined {
    return this.data["text/plain"] as string | undefined;
  }

  /** `text/html`, such as the table of a data frame. */
  get html(): string | undefined {
    return this.data["text/html"] as string | undefined;
  }

  /** `image/png`, such as a figure of matplotlib. */
  get png(): Uint8Array | undefined {
    const content = this.data["image/png"];
    return typeof content === "string" ? fromBase64(content) : undefined;
  }
}

/** What code in a sandbox's interpreter came to. As a string it is what was printed, without the last line end. */
export class RunResult {
  readonly stdout: string;
  readonly stderr: string;
  /** 0; 1 after an exception; 124: its time was over; 137: it was killed. */
  readonly exitCode: number;
  readonly timedOut: boolean;
  /** How the last expression is written; undefined when there was none. */
  readonly value: string | undefined;
  /** How the last expression and open figures look. */
  readonly results: Output[];
  /** The exception that nothing caught, if the language's runner tells it. */
  readonly exception: CodeException | undefined;
  readonly durationMs: number;

  constructor(data: Json, stdout?: string, stderr?: string) {
    this.stdout = stdout ?? String(data["stdout"] ?? "");
    this.stderr = stderr ?? String(data["stderr"] ?? "");
    this.exitCode = Number(data["exit_code"] ?? 0);
    this.timedOut = Boolean(data["timed_out"]);
    this.value = (data["value"] as string | null) ?? undefined;
    this.results = ((data["results"] as Json[] | undefined) ?? []).map((one) => new Output(one));
    this.exception = (data["exception"] as CodeException | null) ?? undefined;
    this.durationMs = Number(data["duration_ms"] ?? 0);
  }

  /** Whether it ended well. */
  get ok(): boolean {
    return this.exitCode === 0;
  }

  /** The result itself, if it is ok; throws a CodeError otherwise. */
  check(): this {
    if (this.ok) return this;
    const why = this.timedOut ? "its time was over" : this.exception ? `${this.exception.type}: ${this.exception.text}` : `exit code ${this.exitCode}: ${this.stderr.trim().slice(-2000)}`;
    throw new CodeError(`The code failed: ${why}`, this);
  }

  toString(): string {
    return printed(this.stdout);
  }
}

/** What code in a fork of its own came to. As a string it is what was printed, without the last line end. */
export class ExecResult {
  readonly id!: string;
  readonly stdout!: string;
  readonly stderr!: string;
  /** Standard output and then standard error. */
  readonly output!: string;
  /** The program's own; 128 + signal; 124: its time was over; 153: it printed too much; 137: memory. */
  readonly exitCode!: number;
  readonly timedOut!: boolean;
  /** Why it did not end by itself. */
  readonly error?: string;
  readonly forkTimeMs!: number;
  readonly execTimeMs!: number;
  readonly totalTimeMs!: number;
  readonly durationMs!: number;
  /** Only when it is not UTF-8. */
  readonly stdoutBase64?: string;
  readonly stderrBase64?: string;

  constructor(data: Json) {
    Object.assign(this, camel<ExecResult>(data));
  }

  /** Whether it ended well. */
  get ok(): boolean {
    return this.exitCode === 0;
  }

  /** Standard output as it was written. */
  get stdoutBytes(): Uint8Array {
    return this.stdoutBase64 ? fromBase64(this.stdoutBase64) : new TextEncoder().encode(this.stdout);
  }

  /** The result itself, if it is ok; throws a CodeError otherwise. */
  check(): this {
    if (this.ok) return this;
    throw new CodeError(`The code failed: ${this.error ?? `exit code ${this.exitCode}`}`, this);
  }

  toString(): string {
    return printed(this.stdout);
  }
}

/** What a command came to. As a string it is what was printed, without the last line end. */
export class CommandResult {
  constructor(
    readonly pid: number,
    readonly stdout: string,
    readonly stderr: string,
    /** Its own, or 128 + signal; 124 when its time was over. */
    readonly exitCode: number,
    readonly timedOut: boolean,
  ) {}

  /** Whether it ended well. */
  get ok(): boolean {
    return this.exitCode === 0;
  }

  /** The result itself, if it is ok; throws a CodeError otherwise. */
  check(): this {
    if (this.ok) return this;
    throw new CodeError(`The command failed with exit code ${this.exitCode}: ${(this.stderr.trim() || this.stdout.trim()).slice(0, 2000)}`, this);
  }

  toString(): string {
    return printed(this.stdout);
  }
}

/** A piece of a command's output; all that a terminal shows is stdout. */
export interface CommandOutput {
  stream: "stdout" | "stderr";
  text: string;
}

/** A process that was started through the interface. */
export interface ProcessInfo {
  pid: number;
  command: string[];
  started: Date;
  tty: boolean;
  running: boolean;
  exitCode?: number;
}

/** What is known of a sandbox. */
export interface SandboxInfo {
  id: string;
  /** What it was forked from; undefined: it was made from an image. */
  template?: string;
  image?: string;
  state: "running" | "paused";
  created: Date;
  expires: Date;
  memoryMb: number;
  memoryUsedMb: number;
  metadata: Record<string, string>;
  /** How many forks and restores it has come through. */
  generation?: number;
  /** The sandbox that it was forked from. */
  parent?: string;
}

/** A sandbox that was saved; sandboxes can be made of it. */
export interface Snapshot {
  id: string;
  name?: string;
  template: string;
  created: Date;
  sizeBytes: number;
  metadata: Record<string, string>;
}

/** What sandboxes are forked from: the server's, or made of a sandbox. */
export interface Template {
  name: string;
  /** The language of the server's templates. */
  language?: string;
  /** The template below it, of the key's own. */
  from?: string;
  /** The id of the sandbox that it was made of. */
  sandbox?: string;
  created?: Date;
  sizeBytes?: number;
}

/** A moment of a sandbox to which it can be taken back. */
export interface Checkpoint {
  id: string;
  name?: string;
  created: Date;
  memoryBytes: number;
}

/** What happened to a sandbox, and the last that its interpreter printed, also between runs. */
export interface Logs {
  events: { time: Date; event: string; text: string }[];
  output: string;
}

/** A file of a sandbox. */
export interface FileInfo {
  path: string;
  name: string;
  type: "file" | "directory" | "symlink" | "fifo" | "socket" | "device" | "unknown";
  size: number;
  /** Permission bits, such as 0o644. */
  mode: number;
  uid: number;
  gid: number;
  modified: Date;
  /** Where a symbolic link leads. */
  target?: string;
}

/** Something that happened to a file. */
export interface FileChange {
  /** overflow: some were lost. */
  kind: "created" | "modified" | "removed" | "moved_from" | "moved_to" | "attributes" | "overflow";
  path: string;
  isDirectory: boolean;
}

/** What the server says of itself. */
export interface Health {
  status: "ok" | "draining";
  version: string;
  templates: Record<string, { ready: boolean; language: string; memory_mb: number }>;
}
