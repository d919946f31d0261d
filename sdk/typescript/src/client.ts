import "./dispose.js";
import { type ApiError, brokenBy, errorOf, TransportError } from "./errors.js";
import { readEvents } from "./events.js";
import { type Content, camel, ExecResult, fromBase64, type Health, type Json, type SandboxInfo, type Snapshot, snake, type Template, toBase64 } from "./models.js";

/** Where the server is. */
export interface ClientOptions {
  /** http://HOST:PORT or https://HOST; else the environment's RAMET_URL, else http://127.0.0.1:8080. */
  url?: string;
  /** A key of `ramet key create`; else the environment's RAMET_API_KEY. A server in development needs none. */
  apiKey?: string;
  /** How often a request is made again that was refused because the server was busy (429 and 503 with Retry-After). Default: 2. */
  retries?: number;
  /** Takes the place of the global fetch. */
  fetch?: typeof fetch;
}

/** Ends a call early: code is interrupted, a command killed. */
export interface CallOptions {
  signal?: AbortSignal;
}

/** Told of output as it comes. */
export interface OutputListeners {
  /** Called with what is printed, as it is printed; awaited. What it throws ends the code. */
  onStdout?: (text: string) => unknown;
  /** The same for standard error. */
  onStderr?: (text: string) => unknown;
}

/** How code is run in a fork of its own. */
export interface ExecOptions extends CallOptions, OutputListeners {
  /** The language of the code. Default of this SDK: node (of the HTTP interface: python). */
  language?: string;
  template?: string;
  /** Wall time; when it is over the result has `timedOut`. */
  timeoutSeconds?: number;
  stdin?: string;
  args?: string[];
  /** null removes a variable. */
  env?: Record<string, string | null>;
  /** Files to write before, by path. */
  files?: Record<string, Content>;
  /** Limit for programs and the files that they write. */
  memoryMb?: number;
}

export interface RequestOptions extends CallOptions {
  query?: Record<string, string | number | boolean | undefined>;
  json?: Json;
  body?: BodyInit | ReadableStream<Uint8Array>;
  accept?: string;
}

interface Globals {
  process?: { env?: Record<string, string | undefined>; versions?: { node?: string } };
  Deno?: { env: { get(name: string): string | undefined } };
}

function environment(name: string): string | undefined {
  const globals = globalThis as unknown as Globals;
  try {
    return (globals.Deno ? globals.Deno.env.get(name) : globals.process?.env?.[name]) || undefined;
  } catch {
    return undefined; // Deno without --allow-env.
  }
}

const longestPause = 10;

/** Code that may take as long as this (seconds) is streamed: fetch of Node.js gives up on an answer that has not begun after 300 seconds, and a stream begins when its turn has come. */
export const streamFrom = 200;

/** A server. */
export class Client {
  readonly url: string;
  readonly #headers: Record<string, string> = {};
  readonly #retries: number;
  readonly #fetch: typeof fetch;

  constructor(options: ClientOptions = {}) {
    const url = options.url ?? environment("RAMET_URL") ?? "http://127.0.0.1:8080";
    const parsed = URL.canParse?.(url) === false ? undefined : new URL(url);
    if (!parsed || !/^https?:$/.test(parsed.protocol)) throw new TypeError(`'${url}' is not the address of a server; write http://HOST:PORT or https://HOST.`);
    this.url = url.replace(/\/+$/, "");
    const key = options.apiKey ?? environment("RAMET_API_KEY");
    if (key) this.#headers["Authorization"] = `Bearer ${key}`;
    // Browsers do not let programs set it.
    if ((globalThis as unknown as Globals).process?.versions?.node) this.#headers["User-Agent"] = "ramet-typescript/0.1.0";
    this.#retries = options.retries ?? 2;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
  }

  /** Runs code in a fork of its own, of which nothing is left. JavaScript, unless `language` or `template` says otherwise. */
  async exec(code: string, options: ExecOptions = {}): Promise<ExecResult> {
    const request = { json: execBody(code, options), signal: options.signal };
    if (!options.onStdout && !options.onStderr) {
      return new ExecResult((options.timeoutSeconds ?? 0) < streamFrom ? await this.json("POST", "/v1/exec", request) : await this.#streamBytes("/v1/exec", request));
    }
    const { data, stdout, stderr } = await this.stream("POST", "/v1/exec", request, options);
    return new ExecResult({ ...data, stdout, stderr, output: stdout + stderr });
  }

  /**
   * Runs several pieces of code, each in a fork of its own. Results are in the same order. The answer begins when all have ended, for which fetch of Node.js waits 300 seconds: what may take
   * longer goes one by one, with `exec` and its `timeoutSeconds`.
   */
  async execBatch(codes: Iterable<string | ({ code: string } & ExecOptions)>, common: ExecOptions = {}): Promise<ExecResult[]> {
    const executions = Array.from(codes, (one) => (typeof one === "string" ? execBody(one, common) : execBody(one.code, { ...common, ...one })));
    const answer = await this.json("POST", "/v1/exec/batch", { json: { executions }, signal: common.signal });
    return (answer["results"] as Json[]).map((one) => new ExecResult(one));
  }

  /** Status, version and templates of the server. Needs no key. */
  async health(options: CallOptions = {}): Promise<Health> {
    return (await this.json("GET", "/v1/health", options)) as unknown as Health;
  }

  /** Metrics of the server in Prometheus's text format. */
  async metrics(options: CallOptions = {}): Promise<string> {
    return (await this.request("GET", "/v1/metrics", { accept: "text/plain", ...options })).text();
  }

  /** All live sandboxes of the key, the oldest first; `metadata` shows only those that have it noted. */
  async *sandboxes(options: CallOptions & { metadata?: Record<string, string>; pageSize?: number } = {}): AsyncGenerator<SandboxInfo, void, void> {
    const filters = Object.fromEntries(Object.entries(options.metadata ?? {}).map(([name, value]) => ["metadata." + name, value]));
    let cursor: string | undefined;
    do {
      const page = await this.json("GET", "/v1/sandboxes", { query: { limit: options.pageSize, cursor, ...filters }, signal: options.signal });
      for (const one of page["sandboxes"] as Json[]) yield camel<SandboxInfo>(one);
      cursor = (page["next_cursor"] as string | null) ?? undefined;
    } while (cursor !== undefined);
  }

  /** What is known of a sandbox. */
  async getSandbox(id: string, options: CallOptions = {}): Promise<SandboxInfo> {
    return camel<SandboxInfo>(await this.json("GET", `/v1/sandboxes/${encodeURIComponent(id)}`, options));
  }

  /** Ends a sandbox. */
  async deleteSandbox(id: string, options: CallOptions = {}): Promise<void> {
    await this.json("DELETE", `/v1/sandboxes/${encodeURIComponent(id)}`, options);
  }

  /** Saved sandboxes. */
  async snapshots(options: CallOptions = {}): Promise<Snapshot[]> {
    return firstList(await this.json("GET", "/v1/snapshots", options)).map((one) => camel<Snapshot>(one));
  }

  /** What is known of a saved sandbox. */
  async getSnapshot(id: string, options: CallOptions = {}): Promise<Snapshot> {
    return camel<Snapshot>(await this.json("GET", `/v1/snapshots/${encodeURIComponent(id)}`, options));
  }

  /** Forgets a saved sandbox. Sandboxes that were made of it live on. */
  async deleteSnapshot(snapshot: string | Snapshot, options: CallOptions = {}): Promise<void> {
    await this.json("DELETE", `/v1/snapshots/${encodeURIComponent(typeof snapshot === "string" ? snapshot : snapshot.id)}`, options);
  }

  /** What sandboxes can be forked from: the server's templates, then the key's own. */
  async templates(options: CallOptions = {}): Promise<Template[]> {
    return firstList(await this.json("GET", "/v1/templates", options)).map((one) => camel<Template>(one));
  }

  /** Removes one of the key's own. Sandboxes that were forked from it live on. */
  async deleteTemplate(name: string, options: CallOptions = {}): Promise<void> {
    await this.json("DELETE", `/v1/templates/${encodeURIComponent(name)}`, options);
  }

  /** Code, or a program, whose output is told as it comes: what its last event says, and all that was printed. */
  async stream(method: string, path: string, request: RequestOptions, listeners: OutputListeners, last: "end" | "exit" = "end"): Promise<{ data: Json; stdout: string; stderr: string }> {
    const response = await this.request(method, path, { ...request, accept: "text/event-stream" });
    let stdout = "";
    let stderr = "";
    let data: Json | undefined;
    for await (const event of readEvents(response.body!, request.signal)) {
      const text = event.data["text"] as string;
      if (event.name === "stdout") {
        stdout += text;
        await listeners.onStdout?.(text);
      } else if (event.name === "stderr") {
        stderr += text;
        await listeners.onStderr?.(text);
      } else if (event.name === last) {
        data = event.data;
      }
    }
    if (!data) throw new TransportError(`The stream ended before the ${last === "end" ? "code" : "program"} did.`);
    return { data, stdout, stderr };
  }

  /** Code whose output is collected from a stream: the answer as it would have been without one. */
  async #streamBytes(path: string, request: RequestOptions): Promise<Json> {
    const response = await this.request("POST", path, { ...request, query: { output: "base64" }, accept: "text/event-stream" });
    const pieces: Record<string, Uint8Array[]> = { stdout: [], stderr: [] };
    let data: Json | undefined;
    for await (const event of readEvents(response.body!, request.signal)) {
      if (event.name === "end") data = event.data;
      else pieces[event.name]?.push(fromBase64(event.data["base64"] as string));
    }
    if (!data) throw new TransportError("The stream ended before the code did.");
    const [stdout, stderr] = [textOf(pieces["stdout"]!), textOf(pieces["stderr"]!)];
    return { ...data, stdout: stdout.text, stderr: stderr.text, output: stdout.text + stderr.text, stdout_base64: stdout.base64, stderr_base64: stderr.base64 };
  }

  /** A request whose answer is JSON, or nothing. For what this class has no method for. */
  async json(method: string, path: string, options: RequestOptions = {}): Promise<Json> {
    const response = await this.request(method, path, options);
    const text = await response.text().catch((error: unknown) => {
      throw brokenBy(error, options.signal);
    });
    return text === "" ? {} : (JSON.parse(text) as Json);
  }

  /** A request; the answer is good, or an ApiError is thrown. */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const headers: Record<string, string> = { ...this.#headers, Accept: options.accept ?? "application/json" };
    const init: RequestInit & { duplex?: "half" } = { method, headers };
    if (options.signal) init.signal = options.signal;
    if (options.json !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(options.json);
    } else if (options.body !== undefined) {
      headers["Content-Type"] = "application/octet-stream";
      init.body = options.body as BodyInit;
      if (options.body instanceof ReadableStream) init.duplex = "half";
    }
    const query = Object.entries(options.query ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`]));
    const url = this.url + path + (query.length > 0 ? "?" + query.join("&") : "");
    for (let attempt = 0; ; attempt++) {
      const response = await this.#fetch(url, init).catch((error: unknown) => {
        throw brokenBy(error, options.signal);
      });
      if (response.ok) return response;
      const error: ApiError = await errorOf(response);
      // 429 and 503 with Retry-After: nothing was done. A body that streams cannot be sent again.
      if (attempt >= this.#retries || (error.status !== 429 && error.status !== 503) || error.retryAfter === undefined || init.duplex) throw error;
      await pause(Math.min(error.retryAfter, longestPause) * 1000, options.signal);
    }
  }
}

let shared: Map<string, Client> | undefined;

/** The client that was given, or the one that all share that name the same server and key. */
export function clientFor(options: ClientOptions & { client?: Client }): Client {
  if (options.client) return options.client;
  if (options.fetch) return new Client(options);
  const key = JSON.stringify([options.url ?? environment("RAMET_URL"), options.apiKey ?? environment("RAMET_API_KEY"), options.retries]);
  shared ??= new Map();
  let client = shared.get(key);
  if (!client) shared.set(key, (client = new Client(options)));
  return client;
}

/** Runs code in a fork of its own at the server that the environment names; JavaScript, unless `language` says otherwise. */
export async function exec(code: string, options: ExecOptions = {}): Promise<ExecResult> {
  return clientFor({}).exec(code, options);
}

/** Runs several pieces of code, each in a fork of its own, at the server that the environment names. */
export async function execBatch(codes: Iterable<string | ({ code: string } & ExecOptions)>, common: ExecOptions = {}): Promise<ExecResult[]> {
  return clientFor({}).execBatch(codes, common);
}

/** The list in an answer. */
export function firstList(answer: Json): Json[] {
  return (Array.isArray(answer) ? answer : Object.values(answer).find(Array.isArray) ?? []) as Json[];
}

/** Text of bytes that came in pieces, and the bytes in base64 when they are not UTF-8. */
function textOf(pieces: Uint8Array[]): { text: string; base64: string | null } {
  const bytes = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  const decode = (fatal: boolean) => new TextDecoder("utf-8", { fatal, ignoreBOM: true }).decode(bytes);
  try {
    return { text: decode(true), base64: null };
  } catch {
    return { text: decode(false), base64: toBase64(bytes) };
  }
}

function execBody(code: string, options: ExecOptions): Json {
  const { signal: _, onStdout: __, onStderr: ___, files, template, ...rest } = options;
  const contents = files && Object.fromEntries(Object.entries(files).map(([path, content]) => [path, typeof content === "string" ? content : { base64: toBase64(content) }]));
  return snake({ language: template ? undefined : "node", ...rest, template, files: contents, code });
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      signal?.removeEventListener("abort", stop);
      resolve();
    }
    function stop(): void {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    }
    signal?.addEventListener("abort", stop, { once: true });
  });
}
